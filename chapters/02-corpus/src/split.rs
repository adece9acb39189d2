//! Held-out documents: the text on which a model is measured and never trained.
//!
//! The choice is a hash of the document's id, not a random draw over the list: a document stays on its side when
//! others come or go, so two versions of a corpus share their held-out set.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::document::Document;

/// The share of documents that is held out unless the caller says otherwise.
pub const HELD_OUT_SHARE: f64 = 0.02;

/// Separates the split's hash from other uses of the same function.
const SPLIT_SEED: u64 = 0x5EED_0002;

/// A corpus in two parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Split {
    /// For training.
    pub training: Vec<Document>,
    /// For measuring.
    pub held_out: Vec<Document>,
}

// ANCHOR: split
/// Puts about `held_out_share` of the documents aside; order is kept in both parts. When the hash picks none of
/// several documents, the last one is held out, so that there is something to measure on.
pub fn split(documents: Vec<Document>, held_out_share: f64) -> Split {
    let (held_out, training) = documents.into_iter().partition(|d| is_held_out(d, held_out_share));
    let mut split = Split { training, held_out };
    if split.held_out.is_empty() && held_out_share > 0.0 && split.training.len() > 1 {
        split.held_out.extend(split.training.pop());
    }
    split
}

/// The choice for one document, which needs no other.
pub fn is_held_out(document: &Document, held_out_share: f64) -> bool {
    let limit = (held_out_share.clamp(0.0, 1.0) * u64::MAX as f64) as u64;
    xxh3_64_with_seed(document.id.as_bytes(), SPLIT_SEED) < limit
}
// ANCHOR_END: split

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(n: usize) -> Vec<Document> {
        (0..n).map(|i| Document::new(format!("d{i}"), "", i.to_string())).collect()
    }

    #[test]
    fn holds_out_about_the_share_and_loses_nothing() {
        let split = split(documents(10_000), 0.02);
        assert!((150..250).contains(&split.held_out.len()), "{}", split.held_out.len());
        assert_eq!(split.training.len() + split.held_out.len(), 10_000);
    }

    #[test]
    fn a_document_stays_on_its_side() {
        let all = split(documents(1000), 0.02);
        let half = split(documents(500), 0.02);
        assert!(!half.held_out.is_empty());
        assert!(half.held_out.iter().all(|d| all.held_out.contains(d)));
        assert!(half.training.iter().all(|d| all.training.contains(d)));
    }

    #[test]
    fn a_tiny_corpus_still_has_something_to_measure_on() {
        assert_eq!(split(documents(2), 1e-9).held_out.len(), 1);
        assert!(split(documents(2), 0.0).held_out.is_empty());
    }
}
