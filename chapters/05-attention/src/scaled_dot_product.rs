//! Scaled dot-product attention (Vaswani et al. 2017, arXiv 1706.03762, section 3.2.1) for grouped queries (Ainslie et al. 2023,
//! arXiv 2305.13245):
//! $$\operatorname{attention}(Q, K, V) = \operatorname{softmax}\!\left(\frac{QK^\top}{\sqrt{d}} + M\right) V.$$
//!
//! With `n_kv_heads < n_heads`, each key-value head serves a group of `n_heads / n_kv_heads` neighbouring query heads. Instead of
//! copying keys and values for each query head, the queries of a group are laid one after another, as if the sequence were that
//! many times longer: the same product, nothing copied.

use candle_core::{Result, Tensor, bail};

use crate::{causal_mask, softmax, visible_mask};

// ANCHOR: masking
/// Who may look at whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Masking<'a> {
    /// Every query sees every key (encoders; not used by language models).
    Full,
    /// A query sees itself and what comes before it. The queries are the last positions of the keys.
    Causal,
    /// Causal, with less to see: see [`visible_mask`].
    Restricted {
        /// How far back a query sees, itself counted.
        window: Option<usize>,
        /// For each sequence, how many of its first positions are padding.
        padding: Option<&'a [usize]>,
    },
}
// ANCHOR_END: masking

// ANCHOR: weights
/// Attention weights, `(batch, n_heads, q_len, kv_len)`; each row sums to one.
///
/// `q` is `(batch, n_heads, q_len, head_dim)`, `k` is `(batch, n_kv_heads, kv_len, head_dim)`.
///
/// # Errors
/// If the shapes do not fit or `n_kv_heads` does not divide `n_heads`.
pub fn attention_weights(q: &Tensor, k: &Tensor, masking: Masking<'_>) -> Result<Tensor> {
    let (batch, n_heads, q_len, head_dim) = q.dims4()?;
    let (_batch, n_kv_heads, kv_len, _head_dim) = k.dims4()?;
    if n_kv_heads == 0 || !n_heads.is_multiple_of(n_kv_heads) {
        bail!("n_kv_heads {n_kv_heads} does not divide n_heads {n_heads}");
    }
    let group = n_heads / n_kv_heads;
    let scale = 1.0 / (head_dim as f64).sqrt();
    let q = (q * scale)?.reshape((batch, n_kv_heads, group * q_len, head_dim))?;
    let scores = q.matmul(&k.transpose(2, 3)?)?; // (batch, n_kv_heads, group · q_len, kv_len)
    let scores = scores.reshape((batch, n_heads, q_len, kv_len))?;
    let scores = match masking {
        Masking::Full => scores,
        // One query at the end sees everything: no mask to add.
        Masking::Causal if q_len == 1 => scores,
        Masking::Causal => {
            let mask = causal_mask(q_len, kv_len, q.device())?.to_dtype(q.dtype())?;
            scores.broadcast_add(&mask)?
        }
        Masking::Restricted { window, padding } => {
            let mask = visible_mask(q_len, kv_len, window, padding, q.device())?.to_dtype(q.dtype())?;
            scores.broadcast_add(&mask)?
        }
    };
    softmax(&scores)
}
// ANCHOR_END: weights

// ANCHOR: attention
/// Attention, `(batch, n_heads, q_len, head_dim)`: for every query the weighted mean of the values.
///
/// `q` is `(batch, n_heads, q_len, head_dim)`; `k` and `v` are `(batch, n_kv_heads, kv_len, head_dim)`.
///
/// # Errors
/// As [`attention_weights`].
pub fn scaled_dot_product_attention(q: &Tensor, k: &Tensor, v: &Tensor, masking: Masking<'_>) -> Result<Tensor> {
    let (batch, n_heads, q_len, head_dim) = q.dims4()?;
    let (_batch, n_kv_heads, kv_len, _head_dim) = v.dims4()?;
    let weights = attention_weights(q, k, masking)?;
    let weights = weights.reshape((batch, n_kv_heads, n_heads / n_kv_heads * q_len, kv_len))?;
    weights.matmul(v)?.reshape((batch, n_heads, q_len, head_dim))
}
// ANCHOR_END: attention
