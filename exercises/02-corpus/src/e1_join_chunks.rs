//! Exercise 02.1: join a chunked HTTP body.
//!
//! A server that does not know the length of its answer sends it in chunks: a line with the
//! chunk's length in hexadecimal, so many bytes, a line end; and again, until a chunk of length 0.
//! After the length a line may carry `;` and anything, which is passed over. Example, for `hello, world`:
//!
//! ```text
//! 5\r\n            hello
//! hello\r\n
//! 7;x=y\r\n        , world
//! , world\r\n
//! 0\r\n
//! \r\n
//! ```
//!
//! Write [`join_chunks`]. Lines end in `\r\n`; some programs write `\n` alone, and both must do. The
//! data are bytes, not text: a chunk may hold line ends, and may end in the middle of a character.
//!
//! The body comes from the network: it may be cut off, be no chunked body at all, or claim a length
//! that is larger than all memory. Then the answer is `None`; never a panic, and never a partial
//! body, since the caller would take it for the whole page.
//!
//! Book: `book/src/02-corpus.md`, page `02-reading.md`. Source: RFC 9112, section 7.1.

/// The data of all chunks; `None` if `body` is not a whole chunked body.
pub fn join_chunks(body: &[u8]) -> Option<Vec<u8>> {
    todo!("join the chunks in {} bytes", body.len())
}
