//! One block: attention moves information between positions, a small network works on each position by itself; both read a normalised copy
//! of the residual stream and add to it. With the parts of a Llama:
//!
//! $$h = x + W_o\,\operatorname{attention}(\operatorname{norm}(x)), \qquad
//!   y = h + W_{down}\left(\operatorname{silu}(W_{gate} z) \odot W_{up} z\right), \quad z = \operatorname{norm}(h).$$
//! Normalising inside the branch ("pre-norm", Xiong et al. 2020, arXiv 2002.04745) leaves the sum itself untouched, so gradients reach
//! every layer directly. SwiGLU: Shazeer 2020, arXiv 2002.05202. RMSNorm: Zhang and Sennrich 2019, arXiv 1910.07467.

use attention::KeyValueStore;
use candle_core::{Result, Tensor};

use crate::{Architecture, AttentionLayout, FeedForwardKind, Linear, Norm, NormKind, Ops, Weight};

// ANCHOR: block
/// One block.
#[derive(Debug, Clone)]
pub struct Block {
    attention: AttentionBranch,
    feed_forward: FeedForwardBranch,
}

/// The weights of a block that let positions look at each other.
#[derive(Debug, Clone)]
pub struct AttentionBranch {
    /// Of the stream, `(d_model)`.
    pub norm: Norm,
    /// `(q_width, d_model)`.
    pub q: Linear,
    /// `(kv_width, d_model)`.
    pub k: Linear,
    /// `(kv_width, d_model)`.
    pub v: Linear,
    /// `(d_model, q_width)`.
    pub o: Linear,
    /// Gains `(head_dim)` of an RMSNorm of every head of the queries and one of the keys.
    pub qk_norm: Option<(Weight, Weight)>,
}

/// The weights of a block that work on each position by itself.
#[derive(Debug, Clone)]
pub struct FeedForwardBranch {
    /// Of the stream, `(d_model)`.
    pub norm: Norm,
    /// `(d_ff, d_model)`; without it the network is GELU's.
    pub gate: Option<Linear>,
    /// `(d_ff, d_model)`.
    pub up: Linear,
    /// `(d_model, d_ff)`.
    pub down: Linear,
}

impl Block {
    /// The residual stream after this block. `x` and the result: `(batch, seq_len, d_model)`.
    pub(crate) fn forward(
        &self,
        x: &Tensor,
        eps: f64,
        ops: &dyn Ops,
        layout: AttentionLayout,
        store: &mut dyn KeyValueStore,
    ) -> Result<Tensor> {
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
        let normed = self.norm.forward(ops, x, eps)?;
        let mut q = self.q.forward(ops, &normed)?; // (batch, seq_len, q_width)
        let mut k = self.k.forward(ops, &normed)?; // (batch, seq_len, kv_width)
        let v = self.v.forward(ops, &normed)?; // (batch, seq_len, kv_width)
        if let Some((q_gain, k_gain)) = &self.qk_norm {
            q = norm_heads(ops, &q, q_gain, eps)?;
            k = norm_heads(ops, &k, k_gain, eps)?;
        }
        let attended = ops.attention(&q, &k, &v, layout, store)?; // (batch, seq_len, q_width)
        x + self.o.forward(ops, &attended)?
    }
}

/// RMSNorm of every head of `x` `(batch, seq_len, n_heads · head_dim)`, with one `gain` `(head_dim)` for all; shape as `x`.
fn norm_heads(ops: &(impl Ops + ?Sized), x: &Tensor, gain: &Weight, eps: f64) -> Result<Tensor> {
    let (batch, seq_len, width) = x.dims3()?;
    let head_dim = gain.tensor.elem_count();
    let heads = x.reshape((batch, seq_len * width / head_dim, head_dim))?;
    ops.rms_norm(&heads, gain, eps)?.reshape((batch, seq_len, width))
}

impl FeedForwardBranch {
    /// `x` plus what the network adds to it, `(batch, seq_len, d_model)`: the definition, on any operations.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn compose(&self, ops: &(impl Ops + ?Sized), x: &Tensor, eps: f64) -> Result<Tensor> {
        let normed = self.norm.forward(ops, x, eps)?;
        let up = self.up.forward(ops, &normed)?; // (batch, seq_len, d_ff)
        let inner = match &self.gate {
            Some(gate) => ops.swiglu(&gate.forward(ops, &normed)?, &up)?,
            None => ops.gelu(&up)?,
        };
        x + self.down.forward(ops, &inner)?
    }
}
// ANCHOR_END: block

/// How a weight is found by its name.
pub(crate) type Find<'a> = dyn Fn(&str) -> Result<Weight> + 'a;

impl Block {
    /// Reads the weights of block `layer` by name.
    pub(crate) fn new(layer: usize, architecture: &Architecture, find: &Find<'_>) -> Result<Self> {
        let name = |part: &str| format!("layers.{layer}.{part}");
        let norm = |part: &str| Norm::find(&name(part), architecture.norm, find);
        let linear = |part: &str, has_bias: bool| Linear::find(&name(part), has_bias, find);
        let (on_qkv, on_the_rest) = (architecture.biases.on_qkv(), architecture.biases.on_the_rest());
        let qk_norm = match architecture.qk_norm {
            true => Some((find(&name("attention.q_norm"))?, find(&name("attention.k_norm"))?)),
            false => None,
        };
        let attention = AttentionBranch {
            norm: norm("attention_norm")?,
            q: linear("attention.q", on_qkv)?,
            k: linear("attention.k", on_qkv)?,
            v: linear("attention.v", on_qkv)?,
            o: linear("attention.o", on_the_rest)?,
            qk_norm,
        };
        let gate = match architecture.feed_forward {
            FeedForwardKind::SwiGlu => Some(linear("mlp.gate", on_the_rest)?),
            FeedForwardKind::Gelu => None,
        };
        let feed_forward = FeedForwardBranch {
            norm: norm("mlp_norm")?,
            gate,
            up: linear("mlp.up", on_the_rest)?,
            down: linear("mlp.down", on_the_rest)?,
        };
        Ok(Self { attention, feed_forward })
    }
}

impl Norm {
    /// The norm whose gain has this name.
    pub(crate) fn find(name: &str, kind: NormKind, find: &Find<'_>) -> Result<Self> {
        let bias = match kind {
            NormKind::RmsNorm => None,
            NormKind::LayerNorm => Some(find(&format!("{name}.bias"))?),
        };
        Ok(Self { gain: find(name)?, bias })
    }
}

impl Linear {
    /// The layer whose matrix has this name.
    fn find(name: &str, has_bias: bool, find: &Find<'_>) -> Result<Self> {
        let bias = if has_bias { Some(find(&format!("{name}.bias"))?) } else { None };
        Ok(Self { weight: find(name)?, bias })
    }
}

impl AttentionBranch {
    /// All weights.
    pub fn weights(&self) -> Vec<&Weight> {
        let layers = [&self.q, &self.k, &self.v, &self.o];
        let of_heads = self.qk_norm.iter().flat_map(|(q, k)| [q, k]);
        self.norm.weights().chain(layers.into_iter().flat_map(Linear::weights)).chain(of_heads).collect()
    }
}

impl FeedForwardBranch {
    /// All weights.
    pub fn weights(&self) -> Vec<&Weight> {
        let layers = self.gate.iter().chain([&self.up, &self.down]);
        self.norm.weights().chain(layers.flat_map(Linear::weights)).collect()
    }
}

impl Norm {
    fn weights(&self) -> impl Iterator<Item = &Weight> {
        std::iter::once(&self.gain).chain(&self.bias)
    }
}

impl Linear {
    fn weights(&self) -> impl Iterator<Item = &Weight> {
        std::iter::once(&self.weight).chain(&self.bias)
    }
}
