//! Exercise 02.8: MinHash signatures that any process can compare, and the buckets of their bands.
//!
//! A signature is made today by one process and compared next week with one that another machine made. Its hashes must
//! be the same everywhere and for ever. Rust's `HashMap` hashes with a key that is drawn anew in every process, and
//! `DefaultHasher` may change with the compiler's version. Write three functions:
//!
//! - [`fnv1a`]: the 64-bit hash of a string of bytes. Begin with 0xcbf29ce484222325; for each byte take the exclusive or with
//!   the byte and multiply by 0x100000001b3, modulo 2^64.
//! - [`signature`]: for each pair (a, b) of `permutations` the smallest value of a * h + b modulo 2^32 over the shingles,
//!   where h is the upper half of a shingle's hash. Without shingles each place is `u32::MAX`.
//! - [`buckets`]: cuts the signature into bands of `rows` places (what is left over at the end is not used) and gives one
//!   bucket for each band: the [`fnv1a`] of the band's number and then its places, each as four bytes, smallest first.
//!   Two pages that agree in one band share its bucket. Bands with equal places but other numbers must not.
//!
//! Shingles are the runs of `n` words, joined by one space; the words are given. A text of fewer words is one shingle.
//!
//! Example: `fnv1a(b"a")` is 0xaf63dc4c8601ec8c.
//!
//! Book: `book/src/02-corpus.md`, page `02-deduplication.md`. Source: Broder 1997; Leskovec, Rajaraman and Ullman, *Mining of Massive Datasets*, 3.4.

/// The Fowler-Noll-Vo hash 1a of 64 bits.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    todo!("hash {} bytes", bytes.len())
}

/// The signature of the runs of `n` words.
pub fn signature(words: &[&str], n: usize, permutations: &[(u32, u32)]) -> Vec<u32> {
    todo!("sign {} words in runs of {n} with {} permutations", words.len(), permutations.len())
}

/// The bucket of each band of `rows` places.
pub fn buckets(signature: &[u32], rows: usize) -> Vec<u64> {
    todo!("cut {} places into bands of {rows}", signature.len())
}
