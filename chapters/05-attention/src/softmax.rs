//! Softmax over the last dimension: $p_i = e^{s_i} / \sum_j e^{s_j}$.
//!
//! $e^{s}$ overflows f32 above $s \approx 88$. Since $e^{s_i - m} / \sum_j e^{s_j - m}$ is the same for every $m$, the row's
//! maximum is subtracted first. The maximum is detached: the result does not depend on it, so its gradient is zero, and autograd
//! need not spend time on finding that out. candle's `softmax_last_dim` is faster and has no backward; this one has.

use candle_core::{D, Result, Tensor};

// ANCHOR: softmax
/// Softmax over the last dimension. Shape and dtype as `scores`.
///
/// A row of nothing but −∞ has no softmax and gives NaN; a causal mask leaves every row at least its own position.
///
/// # Errors
/// If `scores` is a scalar.
pub fn softmax(scores: &Tensor) -> Result<Tensor> {
    let max = scores.detach().max_keepdim(D::Minus1)?;
    let exp = scores.broadcast_sub(&max)?.exp()?;
    exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)
}
// ANCHOR_END: softmax
