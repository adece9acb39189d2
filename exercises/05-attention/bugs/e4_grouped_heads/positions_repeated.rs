//! Planted bug: stretches along the positions, so that a head holds parts of its neighbour.

use candle_core::{Result, Tensor, bail};

/// `x` `(batch, n_kv_heads, kv_len, head_dim)` with a copy of its head for every query head;
/// `(batch, n_heads, kv_len, head_dim)`.
///
/// # Errors
/// When `n_kv_heads` does not divide `n_heads`.
pub fn expand_kv_heads(x: &Tensor, n_heads: usize) -> Result<Tensor> {
    let (batch, n_kv_heads, kv_len, head_dim) = x.dims4()?;
    if !n_heads.is_multiple_of(n_kv_heads) {
        bail!("n_kv_heads {n_kv_heads} does not divide n_heads {n_heads}");
    }
    let group = n_heads / n_kv_heads;
    let groups = x.unsqueeze(3)?.broadcast_as((batch, n_kv_heads, kv_len, group, head_dim))?;
    groups.reshape((batch, n_heads, kv_len, head_dim))
}
