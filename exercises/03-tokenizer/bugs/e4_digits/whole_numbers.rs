//! Planted bug: a number is never cut, as in GPT-2.

/// The numbers of `text` in groups of at most three digits, and what lies between them.
pub fn cut_numbers(text: &str) -> Vec<&str> {
    let is_digit = |c: &char| c.is_numeric();
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let n_digits: usize = rest.chars().take(usize::MAX).take_while(is_digit).map(char::len_utf8).sum();
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
