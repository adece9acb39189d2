//! Exercise 02.5: how much of a page lies in repeated runs of words?
//!
//! Gopher drops a page when too many of its characters lie in runs of `n` words that the page has
//! already had. Write [`duplicate_share`]:
//!
//! - words are what stands between white space; a run is `n` of them in a row;
//! - go through the words from the left. If the run that starts here has **not** occurred before,
//!   remember it and go one word on. If it has, add the characters of its words, and step over the
//!   whole run: no character counts twice;
//! - runs are remembered by their words: `ab c` is not `a bc`;
//! - divide by the number of characters of the text, white space included. Characters, not bytes;
//! - a text without characters has the share 0, and so has one with fewer than `n` words.
//!
//! Example, `n = 2`: in `a b a b a b` the runs `a b` and `b a` are new, then `a b` was there (2
//! characters, step over it), and `a b` again (2). 4 of 11 characters.
//!
//! Book: `book/src/02-corpus.md`, page `02-filters.md`. Source: Rae et al., arXiv 2112.11446, table A1; the details are
//! those of datatrove, `gopher_repetition_filter.py`.

/// The share of the characters of `text` in runs of `n` words that occurred before.
pub fn duplicate_share(text: &str, n: usize) -> f64 {
    todo!("find repeated runs of {n} words in {} bytes", text.len())
}
