//! Exercise 05.4: which key and value a query head uses.
//!
//! With grouped-query attention several query heads share one key-value head: with 8 query heads and 2
//! key-value heads, the query heads 0, 1, 2, 3 use key-value head 0, and 4, 5, 6, 7 use head 1. Query
//! head `h` uses key-value head `h / (n_heads / n_kv_heads)`. A checkpoint that is read with another
//! order still runs, and answers nonsense. Write [`expand_kv_heads`], which copies every key-value head
//! for each query head of its group, so that plain multi-head attention can go on from there.
//!
//! If `n_kv_heads` does not divide `n_heads`, return an error that names both.
//!
//! Shapes: `x` `(batch, n_kv_heads, kv_len, head_dim)`, the result `(batch, n_heads, kv_len, head_dim)`.
//!
//! Example: key-value heads A and B for 4 query heads become A, A, B, B.
//!
//! Book: `book/src/05-attention.md`. Source: Ainslie et al., arXiv 2305.13245, section 2.2.

use candle_core::{Result, Tensor};

/// `x` `(batch, n_kv_heads, kv_len, head_dim)` with a copy of its head for every query head;
/// `(batch, n_heads, kv_len, head_dim)`.
///
/// # Errors
/// When `n_kv_heads` does not divide `n_heads`.
pub fn expand_kv_heads(x: &Tensor, n_heads: usize) -> Result<Tensor> {
    todo!("a head of {:?} for each of {n_heads} query heads", x.shape())
}
