//! Exercise 02.4: code blocks, letter by letter.
//!
//! A page's `<pre>` arrives as a list of pieces: text, the border of a line that some highlighters
//! set as a box of its own, and the number that others print beside each line. Write [`fenced`],
//! which gives the block as Markdown:
//!
//! - text stays as it is: no space is collapsed, no indentation lost, blank lines inside are kept;
//! - a [`Piece::LineBox`] border ends the line, unless the code is empty so far or stands at the
//!   start of a line already: two borders in a row are one line end, not two;
//! - a [`Piece::LineNumber`] is no code and disappears;
//! - line ends at the beginning and white space at the end go; the first line's indentation stays;
//! - the block stands between fences of backticks, each fence on a line of its own. A fence has three
//!   backticks, and one more than the longest run of backticks in the code if that run has three or more;
//! - a block without any code gives an empty text.
//!
//! Example: `[LineNumber("1"), Text("if x {"), LineBox, LineNumber("2"), Text("    y"), LineBox]`
//! gives "```\nif x {\n    y\n```".
//!
//! Book: `book/src/02-corpus.md`, page `02-extraction.md`. Source: CommonMark 0.31, section 4.5.

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
    todo!("write a block of {} pieces", pieces.len())
}
