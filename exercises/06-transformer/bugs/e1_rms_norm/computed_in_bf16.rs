//! Planted bug: squares and sums in the dtype of the input.

use candle_core::{D, Result, Tensor};

/// `x` with root mean square 1 over its last dimension, times `weight`; `(..., d_model)` in and
/// out, dtype kept.
///
/// # Errors
/// When the last dimension of `x` is not that of `weight`.
pub fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let mean_square = x.sqr()?.mean_keepdim(D::Minus1)?; // (..., 1)
    let rms = (mean_square + eps)?.sqrt()?;
    let normed = x.broadcast_div(&rms)?; // (..., d_model)
    normed.broadcast_mul(weight)
}
