//! Planted bug: the angle has the wrong sign.

use candle_core::{D, Result, Tensor, bail};

/// `x` turned by its positions `start..start + seq_len`; `(batch, n_heads, seq_len, head_dim)` in
/// and out.
///
/// # Errors
/// When `head_dim` is odd or `x` has not four dimensions.
pub fn apply_rope(x: &Tensor, start: usize, theta: f64) -> Result<Tensor> {
    let (_batch, _n_heads, seq_len, head_dim) = x.dims4()?;
    if head_dim % 2 != 0 {
        bail!("head_dim {head_dim} is odd: rotation needs pairs");
    }
    let half = head_dim / 2;
    let angle = |position: usize, i: usize| position as f64 * theta.powf(-2.0 * i as f64 / head_dim as f64);
    let angles: Vec<f64> = (0..seq_len * half).map(|k| angle(start + k / half, k % half)).collect();
    let angles = Tensor::from_vec(angles, (seq_len, half), x.device())?;
    let cos = angles.cos()?.to_dtype(x.dtype())?; // (seq_len, head_dim / 2)
    let sin = angles.sin()?.to_dtype(x.dtype())?;
    let x1 = x.narrow(D::Minus1, 0, half)?; // (batch, n_heads, seq_len, head_dim / 2)
    let x2 = x.narrow(D::Minus1, half, half)?;
    let y1 = (x1.broadcast_mul(&cos)? + x2.broadcast_mul(&sin)?)?;
    let y2 = (x2.broadcast_mul(&cos)? - x1.broadcast_mul(&sin)?)?;
    Tensor::cat(&[y1, y2], D::Minus1)
}
