//! Planted bug: the fence is three backticks whatever the code contains.

/// A piece of a `<pre>`.
#[derive(Debug, Clone, Copy)]
pub enum Piece<'a> {
    /// Characters of the code.
    Text(&'a str),
    /// The border of a box around a line.
    LineBox,
    /// The number beside a line.
    LineNumber(&'a str),
}

/// The code of `pieces` between fences; empty if there is none.
pub fn fenced(pieces: &[Piece]) -> String {
    let mut code = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => code.push_str(text),
            Piece::LineBox if !code.is_empty() && !code.ends_with('\n') => code.push('\n'),
            Piece::LineBox | Piece::LineNumber(_) => {}
        }
    }
    let code = code.trim_end().trim_start_matches(['\n', '\r']);
    if code.is_empty() {
        return String::new();
    }
    let longest_run = code.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(3.max(longest_run.min(2) + 1));
    format!("{fence}\n{code}\n{fence}")
}
