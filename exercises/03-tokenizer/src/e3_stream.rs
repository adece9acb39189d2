//! Exercise 03.3: decode a stream without splitting a character.
//!
//! A chat program shows text as the model makes it, but a token is a list of bytes and may end in the
//! middle of a character: `é` is two bytes, `€` three, `🦀` four. Write
//!
//! - [`Stream::push`], which takes a token's bytes and returns the text that is complete now. The
//!   first bytes of a character wait in `pending` until the rest has come. Bytes that cannot become
//!   a character, whatever follows, become `\u{FFFD}` at once, as in `String::from_utf8_lossy`;
//! - [`Stream::finish`], which returns what is left at the end: `\u{FFFD}` for a character that was
//!   never completed.
//!
//! All pieces together are `String::from_utf8_lossy` of all bytes together. Example: `push(&[0xE2])`
//! and `push(&[0x82])` return "", `push(&[0xAC, b'!'])` returns "€!".
//!
//! Book: `book/src/03-tokenizer.md`. Source: The Unicode Standard, section 3.9, table 3-7.

/// Bytes that came and are not shown yet.
#[derive(Debug, Default)]
pub struct Stream {
    pending: Vec<u8>,
}

impl Stream {
    /// The text that `token` completes; empty if it completes none.
    pub fn push(&mut self, token: &[u8]) -> String {
        todo!("{} bytes wait, {token:?} comes", self.pending.len())
    }

    /// What is left at the end of the stream.
    pub fn finish(self) -> String {
        todo!("{:?} is left", self.pending)
    }
}
