//! Names of tensors, ours on the left and GGUF's on the right, and how a file keeps them.
//!
//! **The order of rows.** A rotation turns pairs of numbers of a head. We, like Hugging Face, pair number `i` with number `i + head_dim / 2`;
//! the `llama` architecture of GGUF, like Meta's own code, pairs `2i` with `2i + 1`. Which numbers are a pair is for the rows of the matrices
//! to say, so a file for `llama` has the rows of each head of queries and keys in another order:
//! ```text
//! ours:     a0 a1 a2 a3 b0 b1 b2 b3          (a_i and b_i are turned together)
//! theirs:   a0 b0 a1 b1 a2 b2 a3 b3
//! ```
//! Forgotten, this gives a model that speaks fluently for a few words and then loses itself. Qwen's architectures are kept as we have them.
//!
//! Source: llama.cpp, `gguf-py/gguf/constants.py` for the names, `convert_hf_to_gguf.py` for the order.

use candle_core::{Result, Tensor, bail};

use crate::ModelConfig;
use crate::hugging_face::Family;

// ANCHOR: names
/// How a file keeps one of our parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// As it is.
    Whole,
    /// Rows of queries, in pairs where the architecture wants that.
    Queries,
    /// Rows of keys, likewise.
    Keys,
    /// As this third of the rows of queries, keys and values in one.
    Third(usize),
}

use Kept::{Keys, Queries, Third, Whole};

/// Our name, theirs, and how it is kept; what belongs to a layer has a `*` for its number.
type Row = (&'static str, &'static str, Kept);

/// What all have, if they have it.
const ALL: [Row; 9] = [
    ("embedding", "token_embd.weight", Whole),
    ("final_norm", "output_norm.weight", Whole),
    ("head", "output.weight", Whole),
    ("layers.*.attention_norm", "blk.*.attn_norm.weight", Whole),
    ("layers.*.attention.o", "blk.*.attn_output.weight", Whole),
    ("layers.*.mlp_norm", "blk.*.ffn_norm.weight", Whole),
    ("layers.*.mlp.gate", "blk.*.ffn_gate.weight", Whole),
    ("layers.*.mlp.up", "blk.*.ffn_up.weight", Whole),
    ("layers.*.mlp.down", "blk.*.ffn_down.weight", Whole),
];

/// Llama, Mistral, Qwen2 and Qwen3.
const LLAMA: [Row; 8] = [
    ("layers.*.attention.q", "blk.*.attn_q.weight", Queries),
    ("layers.*.attention.k", "blk.*.attn_k.weight", Keys),
    ("layers.*.attention.v", "blk.*.attn_v.weight", Whole),
    ("layers.*.attention.q.bias", "blk.*.attn_q.bias", Queries),
    ("layers.*.attention.k.bias", "blk.*.attn_k.bias", Keys),
    ("layers.*.attention.v.bias", "blk.*.attn_v.bias", Whole),
    ("layers.*.attention.q_norm", "blk.*.attn_q_norm.weight", Whole),
    ("layers.*.attention.k_norm", "blk.*.attn_k_norm.weight", Whole),
];

const GPT2: [Row; 13] = [
    ("position_embedding", "position_embd.weight", Whole),
    ("final_norm.bias", "output_norm.bias", Whole),
    ("layers.*.attention_norm.bias", "blk.*.attn_norm.bias", Whole),
    ("layers.*.attention.q", "blk.*.attn_qkv.weight", Third(0)),
    ("layers.*.attention.k", "blk.*.attn_qkv.weight", Third(1)),
    ("layers.*.attention.v", "blk.*.attn_qkv.weight", Third(2)),
    ("layers.*.attention.q.bias", "blk.*.attn_qkv.bias", Third(0)),
    ("layers.*.attention.k.bias", "blk.*.attn_qkv.bias", Third(1)),
    ("layers.*.attention.v.bias", "blk.*.attn_qkv.bias", Third(2)),
    ("layers.*.attention.o.bias", "blk.*.attn_output.bias", Whole),
    ("layers.*.mlp_norm.bias", "blk.*.ffn_norm.bias", Whole),
    ("layers.*.mlp.up.bias", "blk.*.ffn_up.bias", Whole),
    ("layers.*.mlp.down.bias", "blk.*.ffn_down.bias", Whole),
];
// ANCHOR_END: names

/// Their name of one of our parameters, and how they keep it.
///
/// # Errors
/// If the format has no name for it.
pub(super) fn theirs(family: Family, ours: &str) -> Result<(String, Kept)> {
    let own: &[Row] = if family == Family::Gpt2 { &GPT2 } else { &LLAMA };
    let (layer, general) = match ours.strip_prefix("layers.").and_then(|rest| rest.split_once('.')) {
        Some((layer, part)) => (layer, format!("layers.*.{part}")),
        None => ("", ours.to_string()),
    };
    match own.iter().chain(&ALL).find(|(name, ..)| *name == general) {
        Some((_, theirs, kept)) => Ok((theirs.replace('*', layer), *kept)),
        None => bail!("GGUF has no name for the parameter {ours}"),
    }
}

/// The shape in which a file keeps one of ours.
pub(super) fn kept_shape(kept: Kept, ours: &[usize]) -> Vec<usize> {
    let mut shape = ours.to_vec();
    if let (Third(_), Some(rows)) = (kept, shape.first_mut()) {
        *rows *= 3;
    }
    shape
}

/// Our tensor out of what a file keeps.
///
/// # Errors
/// If its rows are not those of heads.
pub(super) fn unpack(family: Family, config: &ModelConfig, kept: Kept, theirs: &Tensor) -> Result<Tensor> {
    match kept {
        Whole => Ok(theirs.clone()),
        Third(number) => theirs.chunk(3, 0)?.get(number).cloned().ok_or_else(|| candle_core::Error::msg("no third")),
        Queries | Keys if !in_pairs(family) => Ok(theirs.clone()),
        Queries => to_halves(theirs, config.n_heads),
        Keys => to_halves(theirs, config.n_kv_heads),
    }
}

/// What a file keeps of one of our tensors; thirds are joined by the caller.
///
/// # Errors
/// If its rows are not those of heads.
pub(super) fn pack(family: Family, config: &ModelConfig, kept: Kept, ours: &Tensor) -> Result<Tensor> {
    match kept {
        Queries if in_pairs(family) => to_pairs(ours, config.n_heads),
        Keys if in_pairs(family) => to_pairs(ours, config.n_kv_heads),
        _ => Ok(ours.clone()),
    }
}

/// Whether the architecture rotates neighbours.
fn in_pairs(family: Family) -> bool {
    matches!(family, Family::Llama | Family::Mistral)
}

// ANCHOR: permutation
/// Rows of each head from two halves to pairs of neighbours.
fn to_pairs(rows: &Tensor, n_heads: usize) -> Result<Tensor> {
    let half = rows.dim(0)? / n_heads / 2;
    rows.reshape((n_heads, 2, half, ()))?.transpose(1, 2)?.contiguous()?.reshape(rows.shape())
}

/// The same backwards.
fn to_halves(rows: &Tensor, n_heads: usize) -> Result<Tensor> {
    let half = rows.dim(0)? / n_heads / 2;
    rows.reshape((n_heads, half, 2, ()))?.transpose(1, 2)?.contiguous()?.reshape(rows.shape())
}
// ANCHOR_END: permutation
