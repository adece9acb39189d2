//! Exercises of chapter 14: the DPO loss and the log-probabilities it needs.
//!
//! Each module is a starter whose header states the task. Write its body, then run its test. With
//! the feature `solutions` the same tests run on `solutions/`.

#[cfg_attr(feature = "solutions", path = "../solutions/e1_dpo_loss.rs")]
pub mod e1_dpo_loss;
#[cfg_attr(feature = "solutions", path = "../solutions/e2_sequence_log_prob.rs")]
pub mod e2_sequence_log_prob;
