//! Exercises of chapter 07: the nucleus, penalties, a cache, stop strings, padding, log-probabilities, the order of cuts.
//!
//! Each module is a starter whose header states the task. Write its body, then run its test. With
//! the feature `solutions` the same tests run on `solutions/`.

#[cfg_attr(feature = "solutions", path = "../solutions/e1_top_p.rs")]
pub mod e1_top_p;
#[cfg_attr(feature = "solutions", path = "../solutions/e2_penalties.rs")]
pub mod e2_penalties;
#[cfg_attr(feature = "solutions", path = "../solutions/e3_kv_cache.rs")]
pub mod e3_kv_cache;
#[cfg_attr(feature = "solutions", path = "../solutions/e4_stop_strings.rs")]
pub mod e4_stop_strings;
#[cfg_attr(feature = "solutions", path = "../solutions/e5_left_padding.rs")]
pub mod e5_left_padding;
#[cfg_attr(feature = "solutions", path = "../solutions/e6_log_probs.rs")]
pub mod e6_log_probs;
#[cfg_attr(feature = "solutions", path = "../solutions/e7_order_of_cuts.rs")]
pub mod e7_order_of_cuts;
