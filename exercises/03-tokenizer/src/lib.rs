//! Exercises of chapter 03: the two halves of byte-pair encoding, and what surrounds them.
//!
//! Each module is a starter whose header states the task. Write its body, then run its test. With
//! the feature `solutions` the same tests run on `solutions/`.

#[cfg_attr(feature = "solutions", path = "../solutions/e1_most_frequent_pair.rs")]
pub mod e1_most_frequent_pair;
#[cfg_attr(feature = "solutions", path = "../solutions/e2_encode.rs")]
pub mod e2_encode;
#[cfg_attr(feature = "solutions", path = "../solutions/e3_stream.rs")]
pub mod e3_stream;
#[cfg_attr(feature = "solutions", path = "../solutions/e4_digits.rs")]
pub mod e4_digits;
#[cfg_attr(feature = "solutions", path = "../solutions/e5_update_counts.rs")]
pub mod e5_update_counts;
#[cfg_attr(feature = "solutions", path = "../solutions/e6_byte_fallback.rs")]
pub mod e6_byte_fallback;
