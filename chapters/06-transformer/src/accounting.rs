//! Parameters, FLOPs and bytes of a model, before anything is built.
//!
//! A matrix product of `(n, d_in)` with `(d_in, d_out)` takes $2\,n\,d_{in}\,d_{out}$ floating-point operations: one multiplication and one
//! addition for each pair. So each weight of a matrix costs 2 FLOPs a token forward, and 4 backward (one product for the
//! gradient of the input, one for that of the weight). Attention adds, per layer and token, $2 d$ for each key it looks at in
//! $QK^\top$ and again in the product with $V$ (Kaplan et al. 2020, arXiv 2001.08361, section 2.1; Chowdhery et al. 2022, arXiv 2204.02311, appendix B).

use crate::model::parameter_shapes;
use crate::{FeedForwardKind, ModelConfig, NormKind, Positions};

// ANCHOR: accounting
/// Number of parameters; a tied head is counted once.
pub fn n_parameters(config: &ModelConfig) -> usize {
    let ModelConfig { vocab_size, d_model, d_ff, architecture, .. } = *config;
    let (q_width, kv_width) = (config.q_width(), config.kv_width());
    let (qkv_biases, other_biases) =
        (architecture.biases.on_qkv() as usize, architecture.biases.on_the_rest() as usize);
    let norm = match architecture.norm {
        NormKind::RmsNorm => d_model,
        NormKind::LayerNorm => 2 * d_model,
    };
    let attention = d_model * (2 * q_width + 2 * kv_width)
        + qkv_biases * (q_width + 2 * kv_width)
        + other_biases * d_model
        + architecture.qk_norm as usize * 2 * config.head_dim();
    let n_expanding = match architecture.feed_forward {
        FeedForwardKind::SwiGlu => 2,
        FeedForwardKind::Gelu => 1,
    };
    let mlp = (n_expanding + 1) * d_model * d_ff + other_biases * (n_expanding * d_ff + d_model);
    let positions = match architecture.positions {
        Positions::Rotary(_) => 0,
        Positions::Learned => config.max_seq_len * d_model,
    };
    let embeddings = vocab_size * d_model * if config.tie_embeddings { 1 } else { 2 };
    embeddings + positions + config.n_layers * (attention + mlp + 2 * norm) + norm
}

/// FLOPs of one training token, forward and backward, at sequence length `seq_len`.
///
/// Attention is counted in full, `seq_len` keys for every query (or a window's), as is usual when utilisation is reported; a causal kernel
/// may skip half of it.
pub fn flops_per_token(config: &ModelConfig, seq_len: usize) -> f64 {
    let matrices: usize = parameter_shapes(config)
        .iter()
        .filter(|(name, shape)| shape.len() == 2 && !name.ends_with("embedding"))
        .map(|(_, shape)| shape.iter().product::<usize>())
        .sum();
    let tied_head = if config.tie_embeddings { config.vocab_size * config.d_model } else { 0 };
    let kv_len = config.architecture.sliding_window.map_or(seq_len, |window| window.min(seq_len));
    let attention = 2 * config.n_layers * config.q_width() * kv_len;
    let forward = 2.0 * (matrices + tied_head + attention) as f64;
    3.0 * forward
}

/// Bytes of the training state: weights, gradients and two moments of AdamW, all f32.
pub fn training_state_bytes(config: &ModelConfig) -> usize {
    const COPIES: usize = 4;
    const BYTES_F32: usize = 4;
    n_parameters(config) * COPIES * BYTES_F32
}
// ANCHOR_END: accounting
