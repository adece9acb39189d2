//! Exercises of chapter 02: main text from web pages.
//!
//! Each module is a starter whose header states the task. Write its body, then run its test. With
//! the feature `solutions` the same tests run on `solutions/`.

#[cfg_attr(feature = "solutions", path = "../solutions/e3_link_density.rs")]
pub mod e3_link_density;
#[cfg_attr(feature = "solutions", path = "../solutions/e4_code_blocks.rs")]
pub mod e4_code_blocks;
