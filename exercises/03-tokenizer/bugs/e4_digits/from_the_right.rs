//! Planted bug: groups from the right, as one writes thousands.

/// The numbers of `text` in groups of at most three digits, and what lies between them.
pub fn cut_numbers(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let run: Vec<char> = rest.chars().take_while(|c| c.is_numeric()).collect();
        let n_bytes = match run.len() {
            0 => rest.find(char::is_numeric).unwrap_or(rest.len()),
            n => run[..(n - 1) % 3 + 1].iter().map(|c| c.len_utf8()).sum(),
        };
        let (piece, after) = rest.split_at(n_bytes);
        pieces.push(piece);
        rest = after;
    }
    pieces
}
