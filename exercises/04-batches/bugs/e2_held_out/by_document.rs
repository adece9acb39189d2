//! Planted bug: each near copy is decided by its own name, so a cluster can be on both sides.

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
    let limit = (share.clamp(0.0, 1.0) * u64::MAX as f64) as u64;
    let is_held_out = |document: &Document| share >= 1.0 || hash(seed, &document.id) < limit;
    let (held_out, training) = documents.iter().cloned().partition(is_held_out);
    (training, held_out)
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
