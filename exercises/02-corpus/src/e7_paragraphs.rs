//! Exercise 02.7: cut a text into paragraphs, and never cut a block of code.
//!
//! Paragraph deduplication removes paragraphs that occurred before. If it takes the first half of a code block
//! away, what is left is no code, and its lonely last fence turns all text behind it into code. Write
//! [`paragraphs`]:
//!
//! - a paragraph is a run of lines without an empty line; a line of spaces and tabs alone is empty;
//! - a line that begins with three backticks or more, or with three tildes or more, opens a block of code (there is
//!   no indentation in this exercise). Behind the marks may stand a language, as in "```rust";
//! - inside a block empty lines do not end the paragraph;
//! - only a line of the same mark closes the block, at least as many of them as opened it, with nothing but spaces
//!   behind them. A fence of tildes inside a block of backticks is just a line of it;
//! - a block that is never closed runs to the end of the text;
//! - a paragraph is given without the line break at its end, and all else in it as it was.
//!
//! Example: "a\nb\n\nc" has the paragraphs "a\nb" and "c".
//!
//! Book: `book/src/02-corpus.md`, page `02-deduplication.md`. Source: CommonMark 0.31, section 4.5.

/// The paragraphs of `text`, in order.
pub fn paragraphs(text: &str) -> Vec<&str> {
    todo!("cut {} bytes into paragraphs", text.len())
}
