//! Planted bug: divides by head_dim instead of its root.

use candle_core::{Result, Tensor, bail};

/// Scaled scores of every query with every key, head by head; `(batch, n_heads, q_len, kv_len)`.
///
/// # Errors
/// When `n_heads` does not divide `d_model`, or the shapes do not fit.
pub fn attention_scores(q: &Tensor, k: &Tensor, n_heads: usize) -> Result<Tensor> {
    let (_batch, _q_len, d_model) = q.dims3()?;
    if !d_model.is_multiple_of(n_heads) {
        bail!("n_heads {n_heads} does not divide d_model {d_model}");
    }
    let head_dim = d_model / n_heads;
    let q = heads(q, n_heads)?; // (batch, n_heads, q_len, head_dim)
    let k = heads(k, n_heads)?; // (batch, n_heads, kv_len, head_dim)
    q.matmul(&k.transpose(2, 3)?.contiguous()?)? / head_dim as f64
}

fn heads(x: &Tensor, n_heads: usize) -> Result<Tensor> {
    let (batch, len, d_model) = x.dims3()?;
    x.reshape((batch, len, n_heads, d_model / n_heads))?.transpose(1, 2)?.contiguous()
}
