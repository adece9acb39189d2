//! Exercises of chapter 01: softmax and the gradient check.
//!
//! Each module is a starter whose header states the task. Write its body, then run its test. With
//! the feature `solutions` the same tests run on `solutions/`.

#[cfg_attr(feature = "solutions", path = "../solutions/e1_softmax.rs")]
pub mod e1_softmax;
#[cfg_attr(feature = "solutions", path = "../solutions/e2_gradient_check.rs")]
pub mod e2_gradient_check;
