//! Exercises of chapter 02: from pages to a clean corpus.
//!
//! Each module is a starter whose header states the task. Write its body, then run its test. With
//! the feature `solutions` the same tests run on `solutions/`.

#[cfg_attr(feature = "solutions", path = "../solutions/e1_join_chunks.rs")]
pub mod e1_join_chunks;
#[cfg_attr(feature = "solutions", path = "../solutions/e2_resynchronise.rs")]
pub mod e2_resynchronise;
#[cfg_attr(feature = "solutions", path = "../solutions/e3_link_density.rs")]
pub mod e3_link_density;
#[cfg_attr(feature = "solutions", path = "../solutions/e4_code_blocks.rs")]
pub mod e4_code_blocks;
#[cfg_attr(feature = "solutions", path = "../solutions/e5_duplicate_ngrams.rs")]
pub mod e5_duplicate_ngrams;
#[cfg_attr(feature = "solutions", path = "../solutions/e6_auc.rs")]
pub mod e6_auc;
#[cfg_attr(feature = "solutions", path = "../solutions/e7_paragraphs.rs")]
pub mod e7_paragraphs;
#[cfg_attr(feature = "solutions", path = "../solutions/e8_signature.rs")]
pub mod e8_signature;
#[cfg_attr(feature = "solutions", path = "../solutions/e9_common_prefixes.rs")]
pub mod e9_common_prefixes;
