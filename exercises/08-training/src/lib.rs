//! Exercises of chapter 08: one AdamW step, the learning rate, clipping.
//!
//! Each module is a starter whose header states the task. Write its body, then run its test. With
//! the feature `solutions` the same tests run on `solutions/`.

#[cfg_attr(feature = "solutions", path = "../solutions/e1_adamw.rs")]
pub mod e1_adamw;
#[cfg_attr(feature = "solutions", path = "../solutions/e2_schedule_and_clip.rs")]
pub mod e2_schedule_and_clip;
