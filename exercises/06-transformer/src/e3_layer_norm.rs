//! Exercise 06.3: LayerNorm, as GPT-2 has it.
//!
//! RMSNorm (exercise 06.1) only divides. LayerNorm first subtracts the mean, divides by the standard
//! deviation, and then gives each channel a gain and a bias. Write [`layer_norm`]:
//!
//! ```text
//! mean     = sum of x / n
//! variance = sum of (x - mean)^2 / n
//! y[c]     = (x[c] - mean) / sqrt(variance + eps) * gain[c] + bias[c]
//! ```
//!
//! The variance divides by `n`, not by the `n - 1` of a statistics course: nothing is estimated here.
//! `eps` stands inside the root. Sum in f64, whatever the inputs: a mean of many f32 numbers loses digits,
//! and so does a variance computed as the mean of squares minus the square of the mean.
//!
//! Example: `x = [1, 3]`, gain 1, bias 0, eps 0: mean 2, variance 1, the result `[-1, 1]`. (With `n - 1` the
//! variance would be 2 and the result `[-0.7071, 0.7071]`.)
//!
//! Book: `book/src/06-transformer.md`. Source: Ba, Kiros and Hinton, arXiv 1607.06450, section 3.

/// `x` with mean 0 and variance 1, times `gain`, plus `bias`; all of one length.
pub fn layer_norm(x: &[f32], gain: &[f32], bias: &[f32], eps: f64) -> Vec<f32> {
    todo!("normalise {x:?} with gain {gain:?}, bias {bias:?}, eps {eps}")
}
