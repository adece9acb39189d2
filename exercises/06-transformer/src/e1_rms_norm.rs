//! Exercise 06.1: RMSNorm.
//!
//! Before each sublayer a transformer brings its vectors to a common length. LayerNorm subtracts
//! the mean and divides by the standard deviation; RMSNorm only divides by the root of the mean
//! square, which is cheaper and works as well. Write [`rms_norm`]:
//!
//! ```text
//! y[c] = weight[c] * x[c] / sqrt(mean over c of x[c]^2 + eps)
//! ```
//!
//! The mean runs over the last dimension, for each token separately. `eps` stands **inside** the
//! root and keeps a vector of zeros from dividing by zero. Compute in f32 whatever the dtype of
//! `x`, because squares and long sums lose too much in bf16; return the dtype of `x`.
//!
//! Shapes: `x` and the result `(..., d_model)`, `weight` `(d_model)`.
//!
//! Example: `x = [3, 4]`, weights 1, eps 0: the root mean square is `sqrt(12.5) = 3.5355`, the
//! result `[0.8485, 1.1314]`.
//!
//! Compose it from candle's basic operations, so that gradients flow: `candle_nn::ops::rms_norm`
//! has no backward pass.
//!
//! Book: `book/src/06-transformer.md`. Source: Zhang and Sennrich, arXiv 1910.07467, section 4.

use candle_core::{Result, Tensor};

/// `x` with root mean square 1 over its last dimension, times `weight`; `(..., d_model)` in and
/// out, dtype kept.
///
/// # Errors
/// When the last dimension of `x` is not that of `weight`.
pub fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    todo!("norm of {:?} with weight {:?}, eps {eps}", x.shape(), weight.shape())
}
