//! Parameters, FLOPs and bytes of a model, before anything is built.
//!
//! A matrix product of `(n, d_in)` with `(d_in, d_out)` takes $2\,n\,d_{in}\,d_{out}$ floating-point operations: one multiplication and one
//! addition for each pair. So each weight of a matrix costs 2 FLOPs a token forward, and 4 backward (one product for the
//! gradient of the input, one for that of the weight). Attention adds, per layer and token, $2 d$ for each key it looks at in
//! $QK^\top$ and again in the product with $V$ (Kaplan et al. 2020, arXiv 2001.08361, section 2.1; Chowdhery et al. 2022, arXiv 2204.02311, appendix B).

use crate::ModelConfig;
use crate::model::parameter_shapes;

// ANCHOR: accounting
/// Number of parameters; a tied head is counted once.
pub fn n_parameters(config: &ModelConfig) -> usize {
    let attention = 2 * config.d_model * config.d_model + 2 * config.d_model * config.kv_width();
    let mlp = 3 * config.d_model * config.d_ff;
    let norms = 2 * config.d_model;
    let embeddings = config.vocab_size * config.d_model * if config.tie_embeddings { 1 } else { 2 };
    embeddings + config.n_layers * (attention + mlp + norms) + config.d_model
}

/// FLOPs of one training token, forward and backward, at sequence length `seq_len`.
///
/// Attention is counted in full, `seq_len` keys for every query, as is usual when utilisation is reported; a causal kernel
/// may skip half of it.
pub fn flops_per_token(config: &ModelConfig, seq_len: usize) -> f64 {
    let matrices: usize = parameter_shapes(config)
        .iter()
        .filter(|(name, shape)| shape.len() == 2 && name != "embedding")
        .map(|(_, shape)| shape.iter().product::<usize>())
        .sum();
    let tied_head = if config.tie_embeddings { config.vocab_size * config.d_model } else { 0 };
    let attention = 2 * config.n_layers * config.d_model * seq_len;
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
