//! Exercise 02.9: what neighbours in the suffix array have in common, in linear time.
//!
//! The suffix array of a text lists the positions of all its suffixes in sorted order. Equal passages are neighbours
//! there, and how long they are is the length of the neighbours' longest common prefix. Write [`common_prefixes`]:
//!
//! - the text has `n` bytes; `byte(i)` is the one at position `i`, and asking for one at `n` or behind it panics;
//! - `suffixes[k]` is the position of the suffix that is `k`th in the sorted order, from 0;
//! - the answer has at place `k` the length of the longest common prefix of the suffixes `k - 1` and `k`, and 0 at
//!   place 0;
//! - `byte` may be called `8 n` times at most, whatever the text is. Comparing each pair from its beginning takes
//!   `n^2` calls for a text of one letter.
//!
//! Kasai's observation: walk the suffixes in the order of the text, not of the array. If the suffix at position `i` has
//! `h` bytes in common with its neighbour at `j`, then those at `i + 1` and `j + 1` have `h - 1` in common, and the
//! neighbour of `i + 1` can only be closer.
//!
//! Example: "banana" has the suffixes 5 3 1 0 4 2 and the common prefixes 0 1 3 0 0 2.
//!
//! Book: `book/src/02-corpus.md`, page `02-deduplication.md`. Source: Kasai et al., *Linear-Time
//! Longest-Common-Prefix Computation in Suffix Arrays and Its Applications*, CPM 2001.

/// The longest common prefix of each suffix and the one before it in sorted order.
pub fn common_prefixes(n: usize, byte: impl Fn(usize) -> u8, suffixes: &[usize]) -> Vec<usize> {
    let _ = byte;
    todo!("compare {} suffixes of {n} bytes", suffixes.len())
}
