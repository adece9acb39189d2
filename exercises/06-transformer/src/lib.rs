//! Exercises of chapter 06: norms, GELU and the number of parameters.
//!
//! Each module is a starter whose header states the task. Write its body, then run its test. With
//! the feature `solutions` the same tests run on `solutions/`.

#[cfg_attr(feature = "solutions", path = "../solutions/e1_rms_norm.rs")]
pub mod e1_rms_norm;
#[cfg_attr(feature = "solutions", path = "../solutions/e2_count_parameters.rs")]
pub mod e2_count_parameters;
#[cfg_attr(feature = "solutions", path = "../solutions/e3_layer_norm.rs")]
pub mod e3_layer_norm;
#[cfg_attr(feature = "solutions", path = "../solutions/e4_gelu.rs")]
pub mod e4_gelu;
