//! Exercises of chapter 02: a measure of repetition, and a measure of a classifier.
//!
//! Each module is a starter whose header states the task. Write its body, then run its test. With
//! the feature `solutions` the same tests run on `solutions/`.

#[cfg_attr(feature = "solutions", path = "../solutions/e5_duplicate_ngrams.rs")]
pub mod e5_duplicate_ngrams;
#[cfg_attr(feature = "solutions", path = "../solutions/e6_auc.rs")]
pub mod e6_auc;
