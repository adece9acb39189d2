//! The seam: the operations that the model calls, as a small trait.
//!
//! There is one definition of the model in this book. What changes between a reader's first run and a fast one (fused kernels,
//! CUDA, sharded or quantised weights, adapters) changes below this line: another implementation of [`Ops`] runs the same
//! [`Transformer`](crate::Transformer). [`Reference`] is made of stock candle ops that all have a backward; it is the oracle for every
//! other implementation.

use std::collections::BTreeMap;
use std::f64::consts::FRAC_2_PI;
use std::fmt::Debug;
use std::sync::Arc;

use attention::{KeyValueStore, Masking, Rope, merge_heads, scaled_dot_product_attention, split_heads};
use candle_core::{D, Result, Tensor, bail};

use crate::{AttentionBranch, FeedForwardBranch};

// ANCHOR: weight
/// A named parameter, as the operations receive it: an implementation may keep something of its own under that name.
#[derive(Debug, Clone)]
pub struct Weight {
    /// Our name of the parameter, such as `layers.0.mlp.up`.
    pub name: Arc<str>,
    /// Its value. It shares storage with the variable that the optimiser updates.
    pub tensor: Tensor,
}
// ANCHOR_END: weight

// ANCHOR: ops
/// What an attention operation must know besides its inputs.
#[derive(Debug, Clone, Copy)]
pub struct AttentionLayout<'a> {
    /// Which block this is: the store's key.
    pub layer: usize,
    /// Number of query heads.
    pub n_heads: usize,
    /// Number of key-value heads.
    pub n_kv_heads: usize,
    /// Rotary tables, if positions are rotary.
    pub rope: Option<&'a Rope>,
    /// How many positions back a query sees, itself counted; all, if absent.
    pub window: Option<usize>,
}

impl AttentionLayout<'_> {
    /// Whether `kv_len` positions, some of them perhaps padding, are all that causality alone would show.
    pub fn is_causal_only(&self, kv_len: usize, store: &dyn KeyValueStore) -> bool {
        self.window.is_none_or(|window| kv_len <= window) && store.padding().is_none()
    }
}

/// The operations of a transformer. `d` stands for the width of the last dimension.
pub trait Ops: Debug + Send + Sync {
    /// Rows of `weight` `(vocab_size, d)` for `tokens` `(batch, seq_len)`, u32 → `(batch, seq_len, d)`.
    ///
    /// # Errors
    /// If a token is not below `vocab_size`.
    fn embedding(&self, tokens: &Tensor, weight: &Weight) -> Result<Tensor>;

    /// `x` `(batch, seq_len, d_in)` times the transpose of `weight` `(d_out, d_in)` → `(batch, seq_len, d_out)`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    fn linear(&self, x: &Tensor, weight: &Weight) -> Result<Tensor>;

    /// Root-mean-square norm over the last dimension, times `weight` `(d)`. Shape as `x`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    fn rms_norm(&self, x: &Tensor, weight: &Weight, eps: f64) -> Result<Tensor>;

    /// LayerNorm over the last dimension: `(x - mean) / √(variance + eps)` times `gain` `(d)` plus `bias` `(d)`. Shape as `x`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    fn layer_norm(&self, x: &Tensor, gain: &Weight, bias: &Weight, eps: f64) -> Result<Tensor> {
        let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let variance = centred.sqr()?.mean_keepdim(D::Minus1)?; // (batch, seq_len, 1)
        let inverse_std = (variance + eps)?.sqrt()?.recip()?;
        centred.broadcast_mul(&inverse_std)?.broadcast_mul(&gain.tensor)?.broadcast_add(&bias.tensor)
    }

    /// `x` `(batch, seq_len, d)` plus `bias` `(d)`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    fn add_bias(&self, x: &Tensor, bias: &Weight) -> Result<Tensor> {
        x.broadcast_add(&bias.tensor)
    }

    /// GELU by its approximation $\tfrac{x}{2} (1 + \tanh(\sqrt{2/\pi} (x + 0.044715 x^3)))$, as GPT-2 has it. Shape as `x`.
    ///
    /// # Errors
    /// Only if the device fails.
    fn gelu(&self, x: &Tensor) -> Result<Tensor> {
        let inner = ((x * x.sqr()?)? * 0.044715)?.add(x)?;
        let tanh = (inner * FRAC_2_PI.sqrt())?.tanh()?;
        ((tanh + 1.0)? * 0.5)? * x
    }

    /// Causal grouped-query attention, with what the layout says: `q` `(batch, seq_len, n_heads · head_dim)`, `k` and `v`
    /// `(batch, seq_len, n_kv_heads · head_dim)` → `(batch, seq_len, n_heads · head_dim)`.
    ///
    /// # Errors
    /// If the shapes do not fit or the store is full.
    fn attention(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        layout: AttentionLayout,
        store: &mut dyn KeyValueStore,
    ) -> Result<Tensor>;

    /// SwiGLU's product, silu(`gate`) · `up`. All shapes equal.
    ///
    /// # Errors
    /// If the shapes differ.
    fn swiglu(&self, gate: &Tensor, up: &Tensor) -> Result<Tensor>;

    /// Log-probability of each target: `hidden` `(batch, seq_len, d)`, `head` `(vocab_size, d)`, `targets`
    /// `(batch, seq_len)` u32 → `(batch, seq_len)`. One operation, so that an implementation need not keep all logits.
    ///
    /// # Errors
    /// If the shapes do not fit.
    fn target_log_probs(&self, hidden: &Tensor, head: &Weight, targets: &Tensor) -> Result<Tensor>;

    /// Minus the sum of `mask` · log-probability of the targets, a scalar; shapes as above, `mask` f32 as `targets`, all ones if absent.
    ///
    /// # Errors
    /// If the shapes do not fit.
    fn next_token_loss(
        &self,
        hidden: &Tensor,
        head: &Weight,
        targets: &Tensor,
        mask: Option<&Tensor>,
    ) -> Result<Tensor> {
        summed_loss(self.target_log_probs(hidden, head, targets)?, mask)
    }

    /// A block's attention branch; see [`AttentionBranch::compose`].
    ///
    /// # Errors
    /// If the shapes do not fit or the store is full.
    fn attention_branch(
        &self,
        x: &Tensor,
        branch: &AttentionBranch,
        eps: f64,
        layout: AttentionLayout,
        store: &mut dyn KeyValueStore,
    ) -> Result<Tensor> {
        branch.compose(self, x, eps, layout, store)
    }

    /// A block's feed-forward branch; see [`FeedForwardBranch::compose`].
    ///
    /// # Errors
    /// If the shapes do not fit.
    fn feed_forward_branch(&self, x: &Tensor, branch: &FeedForwardBranch, eps: f64) -> Result<Tensor> {
        branch.compose(self, x, eps)
    }

    /// Gradients that an implementation sums in a place of its own and not in candle's graph, by the weight's name, since the last call.
    /// The next backward pass overwrites them.
    fn take_gradients(&self) -> BTreeMap<String, Tensor> {
        BTreeMap::new()
    }

    /// Tells that weights were changed by another than these operations' own optimiser: what was made of them must be made again.
    fn weights_changed(&self) {}

    /// Whether one operation keeps all cores of the CPU busy. If not, a trainer computes several micro-batches side by side.
    fn uses_all_cores(&self) -> bool {
        false
    }
}
// ANCHOR_END: ops

/// Minus the sum of log-probabilities that count: those whose `mask`, of the same shape, is 1, or all.
///
/// # Errors
/// If the shapes differ.
pub fn summed_loss(log_probs: Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
    let counted = match mask {
        Some(mask) => (log_probs * mask)?,
        None => log_probs,
    };
    counted.sum_all()?.neg()
}

// ANCHOR: reference
/// The operations in stock candle ops, each with a backward.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reference;

impl Ops for Reference {
    fn embedding(&self, tokens: &Tensor, weight: &Weight) -> Result<Tensor> {
        let (batch, seq_len) = tokens.dims2()?;
        let (vocab_size, d_model) = weight.tensor.dims2()?;
        let ids = tokens.flatten_all()?; // (batch · seq_len)
        // For this one id candle's `index_select` gives a row of zeros instead of an error. (On a GPU, looking would mean waiting.)
        if ids.device().is_cpu() && ids.to_vec1::<u32>()?.contains(&u32::MAX) {
            bail!("token {} is not below vocab_size {vocab_size}", u32::MAX);
        }
        weight.tensor.index_select(&ids, 0)?.reshape((batch, seq_len, d_model))
    }

    fn linear(&self, x: &Tensor, weight: &Weight) -> Result<Tensor> {
        let (batch, seq_len, d_in) = x.dims3()?;
        let (d_out, _d_in) = weight.tensor.dims2()?;
        // One product of two matrices: a batched one would copy the weight for every sequence.
        x.reshape((batch * seq_len, d_in))?.matmul(&weight.tensor.t()?)?.reshape((batch, seq_len, d_out))
    }

    fn rms_norm(&self, x: &Tensor, weight: &Weight, eps: f64) -> Result<Tensor> {
        let mean_square = x.sqr()?.mean_keepdim(D::Minus1)?; // (batch, seq_len, 1)
        let inverse_rms = (mean_square + eps)?.sqrt()?.recip()?;
        x.broadcast_mul(&inverse_rms)?.broadcast_mul(&weight.tensor)
    }

    fn attention(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        layout: AttentionLayout,
        store: &mut dyn KeyValueStore,
    ) -> Result<Tensor> {
        let start = store.len();
        let mut q = split_heads(q, layout.n_heads)?; // (batch, n_heads, seq_len, head_dim)
        let mut k = split_heads(k, layout.n_kv_heads)?; // (batch, n_kv_heads, seq_len, head_dim)
        let v = split_heads(v, layout.n_kv_heads)?;
        if let Some(rope) = layout.rope {
            (q, k) = (rope.rotate(&q, start)?, rope.rotate(&k, start)?);
        }
        let (k, v) = store.append(layout.layer, k, v)?; // (batch, n_kv_heads, kv_len, head_dim)
        let masking = match layout.is_causal_only(k.dim(2)?, store) {
            true => Masking::Causal,
            false => Masking::Restricted { window: layout.window, padding: store.padding() },
        };
        merge_heads(&scaled_dot_product_attention(&q, &k, &v, masking)?)
    }

    fn swiglu(&self, gate: &Tensor, up: &Tensor) -> Result<Tensor> {
        gate.silu()? * up
    }

    fn target_log_probs(&self, hidden: &Tensor, head: &Weight, targets: &Tensor) -> Result<Tensor> {
        let logits = self.linear(hidden, head)?.flatten_to(1)?; // (batch · seq_len, vocab_size)
        let max = logits.detach().max_keepdim(D::Minus1)?;
        let shifted = logits.broadcast_sub(&max)?;
        let log_sum = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?; // (batch · seq_len, 1)
        let of_targets = shifted.gather(&targets.flatten_all()?.unsqueeze(1)?, 1)?; // (batch · seq_len, 1)
        (of_targets - log_sum)?.reshape(targets.shape())
    }
}
// ANCHOR_END: reference
