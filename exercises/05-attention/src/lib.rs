//! Exercises of chapter 05: masks, rotary positions, scaled scores, grouped heads and windows.
//!
//! Each module is a starter whose header states the task. Write its body, then run its test. With
//! the feature `solutions` the same tests run on `solutions/`.

#[cfg_attr(feature = "solutions", path = "../solutions/e1_causal_softmax.rs")]
pub mod e1_causal_softmax;
#[cfg_attr(feature = "solutions", path = "../solutions/e2_rope.rs")]
pub mod e2_rope;
#[cfg_attr(feature = "solutions", path = "../solutions/e3_scaled_scores.rs")]
pub mod e3_scaled_scores;
#[cfg_attr(feature = "solutions", path = "../solutions/e4_grouped_heads.rs")]
pub mod e4_grouped_heads;
#[cfg_attr(feature = "solutions", path = "../solutions/e5_sliding_window.rs")]
pub mod e5_sliding_window;
