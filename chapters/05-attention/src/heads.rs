//! Heads: one vector of `d_model` numbers read as `n_heads` vectors of `head_dim`.
//!
//! The projection that makes queries is one matrix for all heads; a head is a slice of its output. Heads become a batch
//! dimension, so that one batched matrix product serves all of them (Vaswani et al. 2017, arXiv 1706.03762, section 3.2.2).

use candle_core::{Result, Tensor, bail};

// ANCHOR: heads
/// `(batch, seq_len, n_heads · head_dim)` → `(batch, n_heads, seq_len, head_dim)`, contiguous.
///
/// # Errors
/// If `n_heads` does not divide the last dimension.
pub fn split_heads(x: &Tensor, n_heads: usize) -> Result<Tensor> {
    let (batch, seq_len, width) = x.dims3()?;
    if n_heads == 0 || !width.is_multiple_of(n_heads) {
        bail!("n_heads {n_heads} does not divide the width {width}");
    }
    x.reshape((batch, seq_len, n_heads, width / n_heads))?
        .transpose(1, 2)? // (batch, n_heads, seq_len, head_dim)
        .contiguous()
}

/// `(batch, n_heads, seq_len, head_dim)` → `(batch, seq_len, n_heads · head_dim)`: the inverse.
///
/// # Errors
/// If `x` has not four dimensions.
pub fn merge_heads(x: &Tensor) -> Result<Tensor> {
    let (batch, n_heads, seq_len, head_dim) = x.dims4()?;
    x.transpose(1, 2)?.reshape((batch, seq_len, n_heads * head_dim))
}
// ANCHOR_END: heads
