//! Planted bug: the mask is shifted by one: each token sees the next.

use candle_core::{D, Device, Result, Tensor, bail};

/// 0 where a query may look, minus infinity where not: `(q_len, kv_len)`, f32.
///
/// # Errors
/// When `q_len` is larger than `kv_len`.
pub fn causal_mask(q_len: usize, kv_len: usize, device: &Device) -> Result<Tensor> {
    if q_len > kv_len {
        bail!("{q_len} queries on {kv_len} keys: every query needs its own key");
    }
    let n_cached = kv_len - q_len;
    let entry = |i: usize, j: usize| if j <= i + n_cached + 1 { 0.0 } else { f32::NEG_INFINITY };
    let mask: Vec<f32> = (0..q_len * kv_len).map(|k| entry(k / kv_len, k % kv_len)).collect();
    Tensor::from_vec(mask, (q_len, kv_len), device)
}

/// Softmax over the keys that each query may see; `(batch, n_heads, q_len, kv_len)` in and out.
///
/// # Errors
/// As [`causal_mask`], and when `scores` has not four dimensions.
pub fn causal_attention_weights(scores: &Tensor) -> Result<Tensor> {
    let (_batch, _n_heads, q_len, kv_len) = scores.dims4()?;
    let mask = causal_mask(q_len, kv_len, scores.device())?;
    let masked = scores.broadcast_add(&mask)?;
    let max = masked.max_keepdim(D::Minus1)?; // (batch, n_heads, q_len, 1)
    let exp = masked.broadcast_sub(&max)?.exp()?;
    exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)
}
