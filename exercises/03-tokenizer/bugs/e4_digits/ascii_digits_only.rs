//! Planted bug: knows the digits of one script only.

/// The numbers of `text` in groups of at most three digits, and what lies between them.
pub fn cut_numbers(text: &str) -> Vec<&str> {
    let is_digit = |c: &char| c.is_ascii_digit();
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let n_digits: usize = rest.chars().take(3).take_while(is_digit).map(char::len_utf8).sum();
        let n_bytes = match n_digits {
            0 => rest.find(|c| is_digit(&c)).unwrap_or(rest.len()),
            n_digits => n_digits,
        };
        let (piece, after) = rest.split_at(n_bytes);
        pieces.push(piece);
        rest = after;
    }
    pieces
}
