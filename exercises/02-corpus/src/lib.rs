//! Exercises of chapter 02.
//!
//! Each module is a starter whose header states the task. Write its body, then run its test. With
//! the feature `solutions` the same tests run on `solutions/`.

#[cfg_attr(feature = "solutions", path = "../solutions/e1_join_chunks.rs")]
pub mod e1_join_chunks;
#[cfg_attr(feature = "solutions", path = "../solutions/e2_resynchronise.rs")]
pub mod e2_resynchronise;
