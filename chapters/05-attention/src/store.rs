//! Where the keys and values of earlier tokens are kept.
//!
//! Training sees all tokens at once and keeps nothing; generation feeds one token at a time and must remember. The model is the
//! same: it hands every layer's new keys and values to a store and attends to what comes back.

use candle_core::{Result, Tensor};

// ANCHOR: store
/// Remembers keys and values, layer by layer.
pub trait KeyValueStore {
    /// Number of tokens remembered so far: the position of the next one.
    fn len(&self) -> usize;

    /// Appends new keys and values `(batch, n_kv_heads, new, head_dim)` of a layer and returns all of them,
    /// `(batch, n_kv_heads, len + new, head_dim)`. Keys come rotated.
    ///
    /// # Errors
    /// If the shapes do not fit what is stored, or there is no room left.
    fn append(&mut self, layer: usize, k: Tensor, v: Tensor) -> Result<(Tensor, Tensor)>;

    /// Marks `n_tokens` as remembered, after every layer appended them.
    fn advance(&mut self, n_tokens: usize);

    /// Whether this store ever remembers anything.
    fn remembers(&self) -> bool {
        true
    }

    /// For each sequence, how many of its first positions are padding that no query may look at; `None`: no sequence has any.
    fn padding(&self) -> Option<&[usize]> {
        None
    }

    /// Whether nothing is remembered.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Remembers nothing: each call sees only its own tokens, as in training.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoStore;

impl KeyValueStore for NoStore {
    fn len(&self) -> usize {
        0
    }

    fn append(&mut self, _layer: usize, k: Tensor, v: Tensor) -> Result<(Tensor, Tensor)> {
        Ok((k, v))
    }

    fn advance(&mut self, _n_tokens: usize) {}

    fn remembers(&self) -> bool {
        false
    }
}
// ANCHOR_END: store
