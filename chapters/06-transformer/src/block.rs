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
/// The weights of one block, each matrix as `(d_out, d_in)`.
#[derive(Debug, Clone)]
pub struct Block {
    layer: usize,
    attention_norm: Weight, // (d_model)
    q: Weight,              // (d_model, d_model)
    k: Weight,              // (kv_width, d_model)
    v: Weight,              // (kv_width, d_model)
    o: Weight,              // (d_model, d_model)
    mlp_norm: Weight,       // (d_model)
    gate: Weight,           // (d_ff, d_model)
    up: Weight,             // (d_ff, d_model)
    down: Weight,           // (d_model, d_ff)
}

impl Block {
    /// Reads the weights of block `layer` by name.
    pub(crate) fn new(layer: usize, weight: &dyn Fn(&str) -> Result<Weight>) -> Result<Self> {
        let of = |part: &str| weight(&format!("layers.{layer}.{part}"));
        Ok(Self {
            layer,
            attention_norm: of("attention_norm")?,
            q: of("attention.q")?,
            k: of("attention.k")?,
            v: of("attention.v")?,
            o: of("attention.o")?,
            mlp_norm: of("mlp_norm")?,
            gate: of("mlp.gate")?,
            up: of("mlp.up")?,
            down: of("mlp.down")?,
        })
    }

    /// The residual stream after this block. `x` and the result: `(batch, seq_len, d_model)`.
    pub(crate) fn forward(
        &self,
        x: &Tensor,
        config: &ModelConfig,
        ops: &dyn Ops,
        rope: &Rope,
        store: &mut dyn KeyValueStore,
    ) -> Result<Tensor> {
        let layout =
            AttentionLayout { layer: self.layer, n_heads: config.n_heads, n_kv_heads: config.n_kv_heads, rope };
        let normed = ops.rms_norm(x, &self.attention_norm, config.rms_norm_eps)?;
        let q = ops.linear(&normed, &self.q)?; // (batch, seq_len, d_model)
        let k = ops.linear(&normed, &self.k)?; // (batch, seq_len, kv_width)
        let v = ops.linear(&normed, &self.v)?; // (batch, seq_len, kv_width)
        let attended = ops.attention(&q, &k, &v, layout, store)?; // (batch, seq_len, d_model)
        let x = (x + ops.linear(&attended, &self.o)?)?;

        let normed = ops.rms_norm(&x, &self.mlp_norm, config.rms_norm_eps)?;
        let inner = ops.swiglu(&ops.linear(&normed, &self.gate)?, &ops.linear(&normed, &self.up)?)?; // (batch, seq_len, d_ff)
        x + ops.linear(&inner, &self.down)?
    }
}
// ANCHOR_END: block
