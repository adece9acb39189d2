//! Planted bug: leaves eps out, so that a vector of zeros becomes NaN.

use candle_core::{D, DType, Result, Tensor};

/// `x` with root mean square 1 over its last dimension, times `weight`; `(..., d_model)` in and
/// out, dtype kept.
///
/// # Errors
/// When the last dimension of `x` is not that of `weight`.
pub fn rms_norm(x: &Tensor, weight: &Tensor, _eps: f64) -> Result<Tensor> {
    let wide = x.to_dtype(DType::F32)?;
    let mean_square = wide.sqr()?.mean_keepdim(D::Minus1)?; // (..., 1)
    let rms = mean_square.sqrt()?;
    let normed = wide.broadcast_div(&rms)?; // (..., d_model)
    let weight = weight.to_dtype(DType::F32)?;
    normed.broadcast_mul(&weight)?.to_dtype(x.dtype())
}
