//! Exercises of chapter 05: the causal mask and rotary positions.
//!
//! Each module is a starter whose header states the task. Write its body, then run its test. With
//! the feature `solutions` the same tests run on `solutions/`.

#[cfg_attr(feature = "solutions", path = "../solutions/e1_causal_softmax.rs")]
pub mod e1_causal_softmax;
#[cfg_attr(feature = "solutions", path = "../solutions/e2_rope.rs")]
pub mod e2_rope;
