//! Exercise 07.3: a cache of keys.
//!
//! Decoding keeps the keys of earlier tokens, so that each step computes those of one token alone. Write
//! [`Cache`], which keeps rows of `width` numbers in a buffer that has its full length from the start, so that
//! no step copies what is there.
//!
//! - [`Cache::append`] takes one or more new rows, puts them behind those it has, and returns the *position* of the
//!   first of them, by which the rows will be rotated: the number of rows that were there before. It must not begin
//!   at 0 again, and must not be off by one.
//! - [`Cache::rows`] shows what is filled and nothing beyond.
//! - [`Cache::clear`] forgets all rows and keeps the buffer.
//! - Rows that do not fit are an error that names how many there would be and how many there may be; then nothing
//!   has changed. Numbers that are no whole rows are an error too.
//!
//! Example: a cache of capacity 3 and width 2. Appending `[1, 2, 3, 4]` gives position 0, appending `[5, 6]` gives
//! position 2, appending `[7, 8]` fails: 4 rows exceed the capacity of 3.
//!
//! Book: `book/src/07-generation.md`. Source: Pope et al., arXiv 2211.05102, section 2.1.

/// Rows of `width` numbers, at most `capacity` of them.
#[derive(Debug)]
pub struct Cache {
    // Yours to choose.
}

impl Cache {
    /// An empty cache with its whole buffer.
    pub fn new(capacity: usize, width: usize) -> Self {
        todo!("a buffer for {capacity} rows of {width}")
    }

    /// Puts rows behind those that are there; the position of the first new one.
    ///
    /// # Errors
    /// When they do not fit, or are no whole rows.
    pub fn append(&mut self, rows: &[f32]) -> Result<usize, String> {
        todo!("append {rows:?}")
    }

    /// The rows that are there, one after another.
    pub fn rows(&self) -> &[f32] {
        todo!("what is filled")
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        todo!("forget all rows")
    }
}
