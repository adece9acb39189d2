//! Exercise 05.1: attention weights that cannot see the future.
//!
//! `scores[.., i, j]` says how much query `i` likes key `j`. Each row becomes probabilities by a
//! softmax, but a token may look only at itself and at what came before. Write
//!
//! - [`causal_mask`]: 0 where query `i` may see key `j`, minus infinity where not;
//! - [`causal_attention_weights`]: add the mask to the scores, then softmax over the keys (the last
//!   dimension).
//!
//! While generating, the keys of earlier tokens come from a cache and only the newest tokens are
//! queries. So the `q_len` queries are the **last** `q_len` of `kv_len` positions: query `i` stands
//! at position `i + kv_len - q_len`. More queries than keys make no sense; return an error that
//! names both numbers.
//!
//! Shapes: mask `(q_len, kv_len)` in f32; scores and weights `(batch, n_heads, q_len, kv_len)`.
//!
//! Example: the mask of 2 queries on 4 keys is
//!
//! ```text
//! 0  0  0  -inf
//! 0  0  0   0
//! ```
//!
//! Compose the softmax from candle's basic operations: `candle_nn::ops::softmax_last_dim` has no
//! backward pass.
//!
//! Book: `book/src/05-attention.md`. Source: Vaswani et al., arXiv 1706.03762, section 3.2.3.

use candle_core::{Device, Result, Tensor};

/// 0 where a query may look, minus infinity where not: `(q_len, kv_len)`, f32.
///
/// # Errors
/// When `q_len` is larger than `kv_len`.
pub fn causal_mask(q_len: usize, kv_len: usize, device: &Device) -> Result<Tensor> {
    todo!("a mask of {q_len} x {kv_len} on {device:?}")
}

/// Softmax over the keys that each query may see; `(batch, n_heads, q_len, kv_len)` in and out.
///
/// # Errors
/// As [`causal_mask`], and when `scores` has not four dimensions.
pub fn causal_attention_weights(scores: &Tensor) -> Result<Tensor> {
    todo!("weights from scores of shape {:?}", scores.shape())
}
