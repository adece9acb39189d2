//! What a block keeps from its forward to its backward pass, counted from the shapes.
//!
//! candle keeps every tensor that an operation of the graph was given or made, whether a gradient needs it or not. A custom op adds what it saves of its
//! own. So a finer graph keeps more: this is why a branch is one operation.

use transformer::ModelConfig;

/// How a block is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Graph {
    /// Chapter 6's reference: stock tensor operations.
    Stock,
    /// One custom op for each norm, linear layer, attention, SwiGLU.
    Primitives,
    /// Two custom ops a block, with [`Activations::Keep`](crate::Activations::Keep).
    Branches,
    /// The same with [`Activations::Recompute`](crate::Activations::Recompute).
    Recompute,
}

impl Graph {
    /// From the most memory to the least.
    pub const ALL: [Self; 4] = [Self::Stock, Self::Primitives, Self::Branches, Self::Recompute];
}

// ANCHOR: kept
/// Something that is kept, and the graphs that keep it.
#[derive(Debug, Clone, Copy)]
pub struct Kept {
    /// What it is.
    pub name: &'static str,
    /// How many f32 numbers.
    pub n_numbers: usize,
    /// Who keeps it.
    pub by: &'static [Graph],
    /// Whether it is f32 where numbers between products are bfloat16: the residual stream and statistics.
    pub is_always_f32: bool,
}

/// All that one block keeps for `batch` sequences of `seq_len` tokens.
pub fn kept_by_block(config: &ModelConfig, batch: usize, seq_len: usize) -> Vec<Kept> {
    use Graph::{Branches, Primitives, Recompute, Stock};
    let ModelConfig { d_model: d, d_ff, n_heads, .. } = *config;
    let kv = config.kv_width();
    let rows = batch * seq_len;
    let scores = rows * n_heads * seq_len;
    let kept = |name, n_numbers, by| Kept { name, n_numbers, by, is_always_f32: false };
    let kept_f32 = |name, n_numbers, by| Kept { is_always_f32: true, ..kept(name, n_numbers, by) };
    vec![
        kept_f32("inputs of the two branches", 2 * rows * d, &[Stock, Primitives, Branches, Recompute]),
        kept_f32("1/rms of each row", 2 * rows, &[Primitives, Branches]),
        kept("steps towards 1/rms", 2 * rows * (d + 5), &[Stock]),
        kept("norm before its gain", 2 * rows * d, &[Stock]),
        kept("normed inputs", 2 * rows * d, &[Stock, Primitives]),
        kept("queries, keys, values", rows * (d + 2 * kv), &[Stock, Primitives]),
        kept("the same, packed or by head", rows * (d + 2 * kv), &[Stock, Primitives, Branches]),
        kept("rotation, products and parts", 4 * rows * (d + kv), &[Stock]),
        kept("scaled queries", rows * d, &[Stock]),
        kept("mask, maxima, sums", seq_len * seq_len + 2 * rows * n_heads, &[Stock]),
        kept("scores, four times, and weights", 5 * scores, &[Stock]),
        kept_f32("log-sum-exp of each row of scores", rows * n_heads, &[Primitives, Branches]),
        kept("result of attention by head", rows * d, &[Stock]),
        kept("result of attention", rows * d, &[Stock, Primitives, Branches]),
        kept("gate and up", 2 * rows * d_ff, &[Stock, Primitives, Branches]),
        kept("silu(gate)", rows * d_ff, &[Stock]),
        kept("silu(gate) times up", rows * d_ff, &[Stock, Primitives]),
        kept("results of o and down", 2 * rows * d, &[Stock, Primitives]),
    ]
}

/// Bytes that a block keeps.
pub fn kept_bytes(kept: &[Kept], graph: Graph) -> usize {
    kept.iter().filter(|kept| kept.by.contains(&graph)).map(|kept| kept.n_numbers * size_of::<f32>()).sum()
}
// ANCHOR_END: kept
