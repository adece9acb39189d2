//! Exercises of chapter 04: what a training step reads, and what it must not read.
//!
//! Each module is a starter whose header states the task. Write its body, then run its test. With
//! the feature `solutions` the same tests run on `solutions/`.

#[cfg_attr(feature = "solutions", path = "../solutions/e1_packing.rs")]
pub mod e1_packing;
#[cfg_attr(feature = "solutions", path = "../solutions/e2_held_out.rs")]
pub mod e2_held_out;
#[cfg_attr(feature = "solutions", path = "../solutions/e3_batch_at.rs")]
pub mod e3_batch_at;
