//! Exercise 04.2: put documents aside without a leak.
//!
//! Held-out text measures a model only if nothing like it was trained on. Shuffle all documents
//! and cut the list, and two near copies land on both sides: the validation loss looks better
//! than it is, and no error tells you. Write [`split`]:
//!
//! - documents of one cluster (near copies of each other) always land on the same side;
//! - the side of a document is decided by [`hash`] of its cluster's name and the seed, and by
//!   nothing else: when other documents come or go, it stays where it was;
//! - about `share` of the clusters are held out; 0 holds out nothing, 1 everything;
//! - both parts keep the order of the documents.
//!
//! Example: `page-1` and its copy `page-1-print` have the cluster `page-1`. At any share and with any seed
//! both are held out, or neither.
//!
//! Use `hash(seed, cluster)` as a number from 0 to `u64::MAX`, evenly spread.
//!
//! Book: `book/src/02-corpus.md`, "Held-out pages", and `book/src/04-batches.md`, "Held-out text in
//! the stream". Source on what leaks do: Lee et al., arXiv 2107.06499, section 6.

/// A document, as far as the split is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its name.
    pub id: String,
    /// The name of the first of its near copies, or its own.
    pub cluster: String,
}

/// The documents for training and those held out, in this order.
pub fn split(documents: &[Document], share: f64, seed: u64) -> (Vec<Document>, Vec<Document>) {
    todo!("hold out {share} of {} documents by hash(seed {seed}, cluster)", documents.len())
}

/// A hash of `text`, another for each seed (FNV-1a, then the finaliser of SplitMix64).
pub fn hash(seed: u64, text: &str) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325 ^ seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    hash ^ (hash >> 31)
}
