//! Exercise 05.3: scores of several heads, scaled.
//!
//! A head of attention compares queries with keys by their dot product. For vectors of independent
//! numbers with variance 1 that product has variance `head_dim`, so it is divided by the root of it:
//! otherwise softmax saturates as heads grow wider. Write [`attention_scores`]:
//!
//! ```text
//! scores[b, h, i, j] = sum over c of q[b, i, h, c] * k[b, j, h, c] / sqrt(head_dim)
//! ```
//!
//! Queries and keys come as the projections leave them, `(batch, len, d_model)`, with the heads side by
//! side: head `h` has the channels `h * head_dim .. (h + 1) * head_dim`, where `head_dim` is
//! `d_model / n_heads`. If `n_heads` does not divide `d_model`, return an error that names both.
//!
//! Shapes: `q` `(batch, q_len, d_model)`, `k` `(batch, kv_len, d_model)`, the result
//! `(batch, n_heads, q_len, kv_len)`.
//!
//! Example: one query `[1, 2, 3, 4]`, one key `[1, 1, 1, 1]`, two heads: `3 / sqrt(2) = 2.1213` and
//! `7 / sqrt(2) = 4.9497`.
//!
//! Book: `book/src/05-attention.md`. Source: Vaswani et al., arXiv 1706.03762, sections 3.2.1 and 3.2.2.

use candle_core::{Result, Tensor};

/// Scaled scores of every query with every key, head by head; `(batch, n_heads, q_len, kv_len)`.
///
/// # Errors
/// When `n_heads` does not divide `d_model`, or the shapes do not fit.
pub fn attention_scores(q: &Tensor, k: &Tensor, n_heads: usize) -> Result<Tensor> {
    todo!("scores of {:?} with {:?} in {n_heads} heads", q.shape(), k.shape())
}
