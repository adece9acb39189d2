//! The two halves of a Llama's block as bare weights. Fused kernels are written for these parts; a branch with others (biases, LayerNorm, GELU,
//! norms of queries and keys) is composed of single operations.

use crate::{AttentionBranch, FeedForwardBranch, Linear, Norm, Weight};

/// An attention branch with RMSNorm, without biases and without norms of queries and keys.
#[derive(Debug, Clone)]
pub struct LlamaAttention {
    /// `(d_model)`.
    pub norm: Weight,
    /// `(q_width, d_model)`.
    pub q: Weight,
    /// `(kv_width, d_model)`.
    pub k: Weight,
    /// `(kv_width, d_model)`.
    pub v: Weight,
    /// `(d_model, q_width)`.
    pub o: Weight,
}

/// A feed-forward branch with RMSNorm and SwiGLU, without biases.
#[derive(Debug, Clone)]
pub struct LlamaFeedForward {
    /// `(d_model)`.
    pub norm: Weight,
    /// `(d_ff, d_model)`.
    pub gate: Weight,
    /// `(d_ff, d_model)`.
    pub up: Weight,
    /// `(d_model, d_ff)`.
    pub down: Weight,
}

impl AttentionBranch {
    /// The weights alone, if all parts are a Llama's.
    pub fn as_llama(&self) -> Option<LlamaAttention> {
        if self.norm.bias.is_some() || self.qk_norm.is_some() {
            return None;
        }
        let [q, k, v, o] = [plain(&self.q)?, plain(&self.k)?, plain(&self.v)?, plain(&self.o)?];
        Some(LlamaAttention { norm: self.norm.gain.clone(), q, k, v, o })
    }
}

impl FeedForwardBranch {
    /// The weights alone, if all parts are a Llama's.
    pub fn as_llama(&self) -> Option<LlamaFeedForward> {
        if self.norm.bias.is_some() {
            return None;
        }
        let [gate, up, down] = [plain(self.gate.as_ref()?)?, plain(&self.up)?, plain(&self.down)?];
        Some(LlamaFeedForward { norm: self.norm.gain.clone(), gate, up, down })
    }
}

/// The matrix of a layer without a bias.
fn plain(layer: &Linear) -> Option<Weight> {
    layer.bias.is_none().then(|| layer.weight.clone())
}

impl From<LlamaAttention> for AttentionBranch {
    fn from(LlamaAttention { norm, q, k, v, o }: LlamaAttention) -> Self {
        let [q, k, v, o] = [q, k, v, o].map(|weight| Linear { weight, bias: None });
        Self { norm: Norm { gain: norm, bias: None }, q, k, v, o, qk_norm: None }
    }
}

impl From<LlamaFeedForward> for FeedForwardBranch {
    fn from(LlamaFeedForward { norm, gate, up, down }: LlamaFeedForward) -> Self {
        let [gate, up, down] = [gate, up, down].map(|weight| Linear { weight, bias: None });
        Self { norm: Norm { gain: norm, bias: None }, gate: Some(gate), up, down }
    }
}
