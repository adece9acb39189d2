//! Exercise 03.2: encode a word with learned merges.
//!
//! Training leaves a list of merges in the order in which they were learned; the place in the list
//! is the merge's rank. Ids 0 to 255 are the bytes, and the merge of rank `r` makes the id
//! `256 + r`. Write
//!
//! - [`merge`], which replaces each occurrence of `pair` by `new_id`, from left to right, without
//!   overlap;
//! - [`encode`], which starts from the bytes and, as long as any neighbouring pair is in `merges`,
//!   merges the pair of the **lowest rank** everywhere. Not the leftmost pair, not the longest
//!   token: training learned the merges in that order, and encoding must replay it.
//!
//! Example: with `merges = [(b'b', b'c'), (b'a', b'b')]` the word `abc` becomes `[97, 256]`, "a"
//! and "bc": `(b, c)` has the lower rank, although "ab" stands further left.
//!
//! Book: `book/src/03-tokenizer.md`. Source: Sennrich et al., arXiv 1508.07909, section 3.2.

/// Two neighbouring token ids.
pub type Pair = (u32, u32);

/// `ids` with each non-overlapping `pair`, from the left, replaced by `new_id`.
pub fn merge(ids: &[u32], pair: Pair, new_id: u32) -> Vec<u32> {
    todo!("{pair:?} becomes {new_id} in {ids:?}")
}

/// Token ids of `word` under `merges`, in order of rank.
pub fn encode(word: &[u8], merges: &[Pair]) -> Vec<u32> {
    todo!("encode {word:?} with {} merges", merges.len())
}
