//! Exercises of chapter 09: a norm's gradient, softmax and attention in blocks, AdamW in one pass, counting, a broken kernel, and weights of four bits.
//!
//! Each module is a starter whose header states the task. Write its body, then run its test. With
//! the feature `solutions` the same tests run on `solutions/`.

#[cfg_attr(feature = "solutions", path = "../solutions/e1_rms_norm_backward.rs")]
pub mod e1_rms_norm_backward;
#[cfg_attr(feature = "solutions", path = "../solutions/e2_online_softmax.rs")]
pub mod e2_online_softmax;
#[cfg_attr(feature = "solutions", path = "../solutions/e3_blocked_attention.rs")]
pub mod e3_blocked_attention;
#[cfg_attr(feature = "solutions", path = "../solutions/e4_one_pass_adamw.rs")]
pub mod e4_one_pass_adamw;
#[cfg_attr(feature = "solutions", path = "../solutions/e5_flops_and_bytes.rs")]
pub mod e5_flops_and_bytes;
#[cfg_attr(feature = "solutions", path = "../solutions/e6_find_the_bugs.rs")]
pub mod e6_find_the_bugs;
#[cfg_attr(feature = "solutions", path = "../solutions/e7_four_bits.rs")]
pub mod e7_four_bits;
