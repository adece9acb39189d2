//! Exercise 02.2: find the records of a damaged archive.
//!
//! An archive is a row of records. A record, much simplified, is
//!
//! ```text
//! WARC/1.0\r\n
//! Content-Length: 5\r\n
//! \r\n
//! hello                  as many bytes as the length says
//! \r\n\r\n
//! ```
//!
//! Write [`records`], which returns the blocks of all sound records, and the offset of each damaged
//! one. At an offset where a record should begin, it is sound if the bytes there begin with [`START`],
//! a number and `\r\n\r\n` follow, so many bytes are there, and after them `\r\n\r\n`. Else note the
//! offset as damaged and go on at the next place *after* it where [`START`] stands at the beginning
//! of a line (after `\n`). Do not trust a damaged record's length: the next record may stand inside
//! what it claims. When there is no such place, the archive is at its end.
//!
//! Nothing may panic, whatever the bytes.
//!
//! Example: an archive of the record above alone has the block `hello` and no damage. With 50 for its
//! length it has no block, and damage at offset 0.
//!
//! Book: `book/src/02-corpus.md`, page `02-reading.md`. Source: ISO 28500, section 4, for the true format.

/// How every record begins, up to its length.
pub const START: &[u8] = b"WARC/1.0\r\nContent-Length: ";
/// What follows the length, and what follows the block.
pub const SEPARATOR: &[u8] = b"\r\n\r\n";

/// What an archive holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The blocks of sound records, in order.
    pub blocks: Vec<Vec<u8>>,
    /// Where damaged records begin.
    pub damaged: Vec<usize>,
}

/// Reads all records of `archive` that can be read.
pub fn records(archive: &[u8]) -> Found {
    todo!("find the records in {} bytes", archive.len())
}
