//! One block: attention moves information between positions, SwiGLU works on each position by itself; both read a normalised copy
//! of the residual stream and add to it.
//!
//! $$h = x + W_o\,\operatorname{attention}(\operatorname{norm}(x)), \qquad
//!   y = h + W_{down}\left(\operatorname{silu}(W_{gate} z) \odot W_{up} z\right), \quad z = \operatorname{norm}(h).$$
//! Normalising inside the branch ("pre-norm", Xiong et al. 2020, arXiv 2002.04745) leaves the sum itself untouched, so gradients reach
//! every layer directly. SwiGLU: Shazeer 2020, arXiv 2002.05202. RMSNorm: Zhang and Sennrich 2019, arXiv 1910.07467.

use attention::{KeyValueStore, Rope};
use candle_core::{Result, Tensor};

use crate::{AttentionLayout, ModelConfig, Ops, Weight};

// ANCHOR: block
/// One block, each matrix as `(d_out, d_in)`.
#[derive(Debug, Clone)]
pub struct Block {
    layer: usize,
    attention: AttentionBranch,
    feed_forward: FeedForwardBranch,
}

/// The weights of a block that let positions look at each other.
#[derive(Debug, Clone)]
pub struct AttentionBranch {
    /// `(d_model)`.
    pub norm: Weight,
    /// `(d_model, d_model)`.
    pub q: Weight,
    /// `(kv_width, d_model)`.
    pub k: Weight,
    /// `(kv_width, d_model)`.
    pub v: Weight,
    /// `(d_model, d_model)`.
    pub o: Weight,
}

/// The weights of a block that work on each position by itself.
#[derive(Debug, Clone)]
pub struct FeedForwardBranch {
    /// `(d_model)`.
    pub norm: Weight,
    /// `(d_ff, d_model)`.
    pub gate: Weight,
    /// `(d_ff, d_model)`.
    pub up: Weight,
    /// `(d_model, d_ff)`.
    pub down: Weight,
}

impl Block {
    /// The residual stream after this block. `x` and the result: `(batch, seq_len, d_model)`.
    pub(crate) fn forward(
        &self,
        x: &Tensor,
        config: &ModelConfig,
        ops: &dyn Ops,
        rope: &Rope,
        store: &mut dyn KeyValueStore,
    ) -> Result<Tensor> {
        let ModelConfig { n_heads, n_kv_heads, rms_norm_eps: eps, .. } = *config;
        let layout = AttentionLayout { layer: self.layer, n_heads, n_kv_heads, rope };
        let x = ops.attention_branch(x, &self.attention, eps, layout, store)?;
        ops.feed_forward_branch(&x, &self.feed_forward, eps)
    }
}

impl AttentionBranch {
    /// `x` plus what attention adds to it, `(batch, seq_len, d_model)`: the definition, on any operations.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn compose(
        &self,
        ops: &(impl Ops + ?Sized),
        x: &Tensor,
        eps: f64,
        layout: AttentionLayout,
        store: &mut dyn KeyValueStore,
    ) -> Result<Tensor> {
        let normed = ops.rms_norm(x, &self.norm, eps)?;
        let q = ops.linear(&normed, &self.q)?; // (batch, seq_len, d_model)
        let k = ops.linear(&normed, &self.k)?; // (batch, seq_len, kv_width)
        let v = ops.linear(&normed, &self.v)?; // (batch, seq_len, kv_width)
        let attended = ops.attention(&q, &k, &v, layout, store)?; // (batch, seq_len, d_model)
        x + ops.linear(&attended, &self.o)?
    }
}

impl FeedForwardBranch {
    /// `x` plus what SwiGLU adds to it, `(batch, seq_len, d_model)`: the definition, on any operations.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn compose(&self, ops: &(impl Ops + ?Sized), x: &Tensor, eps: f64) -> Result<Tensor> {
        let normed = ops.rms_norm(x, &self.norm, eps)?;
        let inner = ops.swiglu(&ops.linear(&normed, &self.gate)?, &ops.linear(&normed, &self.up)?)?; // (batch, seq_len, d_ff)
        x + ops.linear(&inner, &self.down)?
    }
}
// ANCHOR_END: block

impl Block {
    /// Reads the weights of block `layer` by name.
    pub(crate) fn new(layer: usize, weight: &dyn Fn(&str) -> Result<Weight>) -> Result<Self> {
        let of = |part: &str| weight(&format!("layers.{layer}.{part}"));
        let attention = AttentionBranch {
            norm: of("attention_norm")?,
            q: of("attention.q")?,
            k: of("attention.k")?,
            v: of("attention.v")?,
            o: of("attention.o")?,
        };
        let feed_forward = FeedForwardBranch {
            norm: of("mlp_norm")?,
            gate: of("mlp.gate")?,
            up: of("mlp.up")?,
            down: of("mlp.down")?,
        };
        Ok(Self { layer, attention, feed_forward })
    }
}
