//! What a block keeps from its forward to its backward pass, counted from the shapes.
//!
//! candle keeps every tensor that an operation of the graph was given or made, whether a gradient needs it or not. A custom op adds what it saves of its
//! own. So a finer graph keeps more: this is why a branch is one operation.

use transformer::{FeedForwardKind, ModelConfig, NormKind};

/// How a block is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Graph {
    /// Chapter 6's reference: stock tensor operations.
    Stock,
    /// One custom op for each norm, linear layer, attention, SwiGLU.
    Primitives,
    /// Two custom ops a block, with [`Activations::Keep`](crate::Activations::Keep). A branch whose parts are not a Llama's is made of primitives.
    Branches,
    /// The same with [`Activations::Recompute`](crate::Activations::Recompute).
    Recompute,
}

impl Graph {
    /// From the most memory to the least.
    pub const ALL: [Self; 4] = [Self::Stock, Self::Primitives, Self::Branches, Self::Recompute];

    /// How a branch is computed, of which [`has_llama_attention`] or [`has_llama_feed_forward`] says whether it can be one op.
    pub(crate) fn of_branch(self, is_one_op: bool) -> Self {
        if is_one_op || self == Self::Stock { self } else { Self::Primitives }
    }
}

/// Whether the attention branches of this model are one op each.
pub(crate) fn has_llama_attention(config: &ModelConfig) -> bool {
    let parts = &config.architecture;
    parts.norm == NormKind::RmsNorm && !parts.biases.on_qkv() && !parts.biases.on_the_rest() && !parts.qk_norm
}

/// Whether the feed-forward branches of this model are one op each.
pub(crate) fn has_llama_feed_forward(config: &ModelConfig) -> bool {
    let parts = &config.architecture;
    let is_swiglu = parts.feed_forward == FeedForwardKind::SwiGlu;
    parts.norm == NormKind::RmsNorm && is_swiglu && !parts.biases.on_the_rest()
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

fn kept(name: &'static str, n_numbers: usize, by: &'static [Graph]) -> Kept {
    Kept { name, n_numbers, by, is_always_f32: false }
}

fn kept_f32(name: &'static str, n_numbers: usize, by: &'static [Graph]) -> Kept {
    Kept { is_always_f32: true, ..kept(name, n_numbers, by) }
}

/// All that an attention branch keeps for `batch` sequences of `seq_len` tokens.
pub fn kept_by_attention(config: &ModelConfig, batch: usize, seq_len: usize) -> Vec<Kept> {
    use Graph::{Branches, Primitives, Recompute, Stock};
    let ModelConfig { d_model: d, n_heads, n_kv_heads, ref architecture, .. } = *config;
    let (q, kv) = (config.q_width(), config.kv_width());
    let rows = batch * seq_len;
    let scores = rows * n_heads * seq_len;
    let is_rotary = config.rope_scaling().is_some();
    let if_so = |condition: bool, n_numbers: usize| if condition { n_numbers } else { 0 };
    let (has_qk_norm, has_biases) = (architecture.qk_norm, architecture.biases.on_qkv());
    let mut all = kept_by_norm(architecture.norm, d, rows);
    all.extend([
        kept("queries, keys, values", rows * (q + 2 * kv), &[Stock, Primitives]),
        kept("the same with biases", if_so(has_biases, rows * (q + 2 * kv)), &[Stock, Primitives]),
        kept("queries and keys, normed", if_so(has_qk_norm, rows * (q + kv)), &[Stock, Primitives]),
        kept("steps towards these", if_so(has_qk_norm, rows * (2 * (q + kv) + 5 * (n_heads + n_kv_heads))), &[Stock]),
        kept_f32("1/rms of each head", if_so(has_qk_norm, rows * (n_heads + n_kv_heads)), &[Primitives]),
        kept("the same, packed or by head", rows * (q + 2 * kv), &[Stock, Primitives, Branches]),
        kept("rotation, products and parts", if_so(is_rotary, 4 * rows * (q + kv)), &[Stock]),
        kept(
            "tables that rotate nothing",
            if_so(!is_rotary, seq_len * config.head_dim()),
            &[Primitives, Branches, Recompute],
        ),
        kept("scaled queries", rows * q, &[Stock]),
        kept("mask, maxima, sums", seq_len * seq_len + 2 * rows * n_heads, &[Stock]),
        kept("scores, four times, and weights", 5 * scores, &[Stock]),
        kept_f32("log-sum-exp of each row of scores", rows * n_heads, &[Primitives, Branches]),
        kept("result of attention by head", rows * q, &[Stock]),
        kept("result of attention", rows * q, &[Stock, Primitives, Branches]),
        kept("result of o", rows * d, &[Stock, Primitives]),
        kept("the same with its bias", if_so(architecture.biases.on_the_rest(), rows * d), &[Stock, Primitives]),
    ]);
    all.retain(|kept| kept.n_numbers > 0);
    all
}

/// All that a feed-forward branch keeps for as many tokens.
pub fn kept_by_feed_forward(config: &ModelConfig, batch: usize, seq_len: usize) -> Vec<Kept> {
    use Graph::{Branches, Primitives, Stock};
    let ModelConfig { d_model: d, d_ff, ref architecture, .. } = *config;
    let rows = batch * seq_len;
    let mut all = kept_by_norm(architecture.norm, d, rows);
    let n_biased = if architecture.biases.on_the_rest() { 1 } else { 0 };
    match architecture.feed_forward {
        FeedForwardKind::SwiGlu => all.extend([
            kept("gate and up", 2 * rows * d_ff, &[Stock, Primitives, Branches]),
            kept("the same with biases", n_biased * 2 * rows * d_ff, &[Stock, Primitives]),
            kept("silu(gate)", rows * d_ff, &[Stock]),
            kept("silu(gate) times up", rows * d_ff, &[Stock, Primitives]),
        ]),
        FeedForwardKind::Gelu => all.extend([
            kept("up", rows * d_ff, &[Stock, Primitives]),
            kept("the same with its bias", n_biased * rows * d_ff, &[Stock, Primitives]),
            kept("gelu(up), and eight steps to it", 9 * rows * d_ff, &[Stock, Primitives]),
        ]),
    }
    all.extend([
        kept("result of down", rows * d, &[Stock, Primitives]),
        kept("the same with its bias", n_biased * rows * d, &[Stock, Primitives]),
    ]);
    all.retain(|kept| kept.n_numbers > 0);
    all
}

/// A branch's input and what its norm keeps; kernels have no LayerNorm.
fn kept_by_norm(norm: NormKind, d: usize, rows: usize) -> Vec<Kept> {
    use Graph::{Branches, Primitives, Recompute, Stock};
    let input = kept_f32("input", rows * d, &[Stock, Primitives, Branches, Recompute]);
    match norm {
        NormKind::RmsNorm => vec![
            input,
            kept_f32("1/rms of each row", rows, &[Primitives, Branches]),
            kept("steps towards 1/rms", rows * (d + 5), &[Stock]),
            kept("norm before its gain", rows * d, &[Stock]),
            kept("normed input", rows * d, &[Stock, Primitives]),
        ],
        NormKind::LayerNorm => vec![
            input,
            kept("centred input, steps towards 1/std", rows * (2 * d + 7), &[Stock, Primitives]),
            kept("norm before its gain and its bias", 2 * rows * d, &[Stock, Primitives]),
            kept("normed input", rows * d, &[Stock, Primitives]),
        ],
    }
}

/// All that a block keeps, computed as `graph` says.
pub fn kept_by_block(config: &ModelConfig, batch: usize, seq_len: usize, graph: Graph) -> impl Iterator<Item = Kept> {
    let branches = [
        (kept_by_attention(config, batch, seq_len), graph.of_branch(has_llama_attention(config))),
        (kept_by_feed_forward(config, batch, seq_len), graph.of_branch(has_llama_feed_forward(config))),
    ];
    branches.into_iter().flat_map(|(all, graph)| all.into_iter().filter(move |kept| kept.by.contains(&graph)))
}
// ANCHOR_END: kept
