//! The memory that training takes at its peak, counted from the shapes before anything is allocated.
//!
//! Three parts are known from the number of parameters $P$ alone: f32 weights, gradients and two moments of AdamW are $16P$ bytes. Two depend on the micro-batch: what the
//! blocks keep for their backward pass ([`kept_by_block`]), and what is in use *within* one operation at the worst moment: gradients in flight, room for one block's backward pass,
//! and the head's logits. The peak falls into the backward pass, when all blocks' activations are still held.
//!
//! What is not counted: the process and its libraries, a CUDA context (some hundred MB), and what an allocator loses between blocks. A test measures the sum at the allocator.

use transformer::{FeedForwardKind, ModelConfig, NormKind, Positions, n_parameters};

use crate::Precision;
use crate::activation_memory::{Graph, Kept, has_llama_attention, has_llama_feed_forward, kept_by_block};
use crate::cross_entropy::CHUNK_ROWS;

const BYTES_F32: usize = 4;
const BYTES_BF16: usize = 2;

// ANCHOR: held
/// Where a step is computed, which decides as what its numbers are stored. Sums, moments and the weights that AdamW changes are f32 in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// Everything as f32: the CPU's kernels, whatever they multiply in, and all stock operations.
    OnCpu,
    /// A GPU's operations: numbers within a branch in the products' type, with a copy of each matrix in that type; the residual stream is f32.
    OnGpu(Precision),
}

impl Stored {
    /// Bytes of a number that is an input or a result of products.
    fn n_bytes(self) -> usize {
        match self {
            Self::OnGpu(Precision::Bf16) => BYTES_BF16,
            Self::OnGpu(_) | Self::OnCpu => BYTES_F32,
        }
    }
}

/// What decides the memory of a step, besides the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepSizes {
    /// Sequences in a micro-batch.
    pub batch: usize,
    /// Tokens in a sequence.
    pub seq_len: usize,
    /// Micro-batches of a step, one after the other.
    pub micro_batches: usize,
    /// How a block is computed.
    pub graph: Graph,
    /// As what activations are stored.
    pub stored: Stored,
}

/// Bytes at the peak of a step, by what they are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrainingMemory {
    /// Weights, and their bf16 copy if there is one.
    pub weights: usize,
    /// Gradients of all weights.
    pub gradients: usize,
    /// Both moments of AdamW.
    pub moments: usize,
    /// What forward keeps for backward.
    pub activations: usize,
    /// What is in use at the worst moment of the backward pass.
    pub working: usize,
}
// ANCHOR_END: held

impl TrainingMemory {
    /// What training `config` takes.
    pub fn of(config: &ModelConfig, step: &StepSizes) -> Self {
        let of_weights = n_parameters(config) * BYTES_F32;
        let copy = match step.stored {
            Stored::OnCpu => 0,
            Stored::OnGpu(_) => n_copied(config) * step.stored.n_bytes(),
        };
        Self {
            weights: of_weights + copy,
            gradients: of_weights,
            moments: 2 * of_weights,
            activations: kept_activations(config, step),
            working: match step.stored {
                Stored::OnCpu => working_bytes(config, step),
                Stored::OnGpu(_) => working_bytes_of_gpu(config, step),
            },
        }
    }

    /// All of it.
    pub fn total(&self) -> usize {
        self.parts().iter().map(|(_, bytes)| bytes).sum()
    }

    /// Each part with its name.
    pub fn parts(&self) -> [(&'static str, usize); 5] {
        let Self { weights, gradients, moments, activations, working } = *self;
        [
            ("weights", weights),
            ("gradients", gradients),
            ("moments", moments),
            ("activations", activations),
            ("working room", working),
        ]
    }
}

// ANCHOR: counted
/// What is kept from forward to backward: by the blocks, by the final norm and by the head.
fn kept_activations(config: &ModelConfig, step: &StepSizes) -> usize {
    let (d, rows) = (config.d_model, step.batch * step.seq_len);
    let kept = kept_by_block(config, step.batch, step.seq_len, step.graph);
    let of_block: usize = kept.map(|kept| kept.n_numbers * bytes_of(&kept, step.stored)).sum();
    let of_start = match config.architecture.positions {
        Positions::Rotary(_) => 0,
        // The vectors of tokens and those of positions; their sum is the first block's input.
        Positions::Learned => (rows + step.seq_len) * d,
    };
    let of_norm = match (config.architecture.norm, step.graph) {
        (NormKind::LayerNorm, _) => rows * (6 * d + 7),
        (NormKind::RmsNorm, Graph::Stock) => rows * (4 * d + 5),
        // The stream after the last block, and normed.
        (NormKind::RmsNorm, _) => 2 * rows * d,
    };
    // Logits, shifted logits and their exponentials.
    let of_head = if step.graph == Graph::Stock { 3 * rows * config.vocab_size } else { 0 };
    config.n_layers * of_block + (of_start + of_norm + of_head) * BYTES_F32
}

fn bytes_of(kept: &Kept, stored: Stored) -> usize {
    if kept.is_always_f32 { BYTES_F32 } else { stored.n_bytes() }
}

/// Numbers of the matrices that products read: all but gains, and but an embedding that is no head.
fn n_copied(config: &ModelConfig) -> usize {
    let ModelConfig { d_model: d, n_layers, vocab_size, tie_embeddings, .. } = *config;
    let of_embedding = if tie_embeddings { 0 } else { vocab_size * d };
    n_parameters(config) - (2 * n_layers + 1) * d - of_embedding
}

/// Bytes in use within the backward pass, beyond what is kept.
fn working_bytes(config: &ModelConfig, step: &StepSizes) -> usize {
    let ModelConfig { d_model: d, d_ff, vocab_size, .. } = *config;
    let rows = step.batch * step.seq_len;
    let packed = config.q_width() + 2 * config.kv_width();
    // candle's sums: the gradient of the result, that of the input, zeros, and their sum.
    let in_flight = 4 * rows * d;
    if step.graph == Graph::Stock {
        return stock_working_bytes(config, step);
    }
    // The pool of buffers keeps the most that each size was needed: three streams, queries with keys and values, gate and up, their product.
    let of_block = rows * (3 * d + packed + 2 * d_ff + d_ff);
    let is_one_op = (has_llama_attention(config), has_llama_feed_forward(config));
    // Where a network is made of single operations, it holds more at its worst moment than the pool does: the gradients of two factors with candle's sums.
    let of_network = match (config.architecture.feed_forward, is_one_op.1) {
        (FeedForwardKind::SwiGlu, true) => 0,
        (FeedForwardKind::SwiGlu, false) => rows * 5 * d_ff,
        (FeedForwardKind::Gelu, _) => rows * (d + gelu_width(config)),
    };
    let again = |is_one_op: bool, n_numbers: usize| match step.graph {
        // Backward begins by making once more what forward did not keep.
        Graph::Recompute if is_one_op => rows * n_numbers,
        _ => 0,
    };
    let again = again(is_one_op.0, d + packed) + again(is_one_op.1, 2 * d_ff);
    let of_head = CHUNK_ROWS.min(rows) * vocab_size + vocab_size * d;
    (in_flight + of_block.max(of_network) + again + of_head) * BYTES_F32
}

/// Numbers of a row at the worst moment of the backward pass of GELU in stock operations: 15 times its width, and once more where its input had a
/// bias added.
fn gelu_width(config: &ModelConfig) -> usize {
    let n_of_bias = if config.architecture.biases.on_the_rest() { 1 } else { 0 };
    (15 + n_of_bias) * config.d_ff
}

/// The same on a GPU, whose pool takes everything back at once: the worst moment is the head's, or a block's.
fn working_bytes_of_gpu(config: &ModelConfig, step: &StepSizes) -> usize {
    let ModelConfig { d_model: d, d_ff, vocab_size, .. } = *config;
    let (rows, bytes) = (step.batch * step.seq_len, step.stored.n_bytes());
    if step.graph == Graph::Stock {
        return stock_working_bytes(config, step);
    }
    let packed = d + 2 * config.kv_width();
    let logits = rows_per_chunk(rows, vocab_size) * vocab_size;
    let at_the_head = (rows * d + logits) * bytes + (rows * d + vocab_size * d) * BYTES_F32;
    let (queries_keys_values, gate_up) = match step.graph {
        // Backward begins by making once more what forward did not keep.
        Graph::Recompute => (packed + d, 2 * d_ff),
        _ => (0, 0),
    };
    // The gradient in the products' type and what each branch makes of it; candle's sums, as above.
    let of_branch = (gate_up + 2 * d + d_ff).max(queries_keys_values + 3 * d + packed);
    let in_a_block = rows * (4 * d * BYTES_F32 + of_branch * bytes);
    at_the_head.max(in_a_block)
}

/// Rows whose logits a GPU holds at once: as many as make a quarter of a gigabyte in bfloat16.
pub(crate) fn rows_per_chunk(n_rows: usize, vocab_size: usize) -> usize {
    const MAX_LOGITS: usize = 1 << 27;
    (MAX_LOGITS / vocab_size.max(1)).clamp(1, n_rows.max(1))
}

/// The same for stock operations. candle computes gradients of constants too, and keeps them, with all that they were made of, to the end: so there is
/// more with every block that the backward pass has been through.
fn stock_working_bytes(config: &ModelConfig, step: &StepSizes) -> usize {
    let ModelConfig { d_model: d, n_layers, n_heads, vocab_size, .. } = *config;
    let rows = step.batch * step.seq_len;
    let scores = rows * n_heads * step.seq_len;
    // Mask and maximum; sines and cosines, each with its zeros, its product and the gradient above it.
    let of_rotation =
        if config.rope_scaling().is_some() { 4 * 2 * rows * (config.q_width() + config.kv_width()) } else { 0 };
    let of_constants = 2 * scores + of_rotation;
    // The worst moments within a block: the quotient of a softmax, and silu or GELU.
    let of_network = match config.architecture.feed_forward {
        FeedForwardKind::SwiGlu => 13 * config.d_ff,
        FeedForwardKind::Gelu => gelu_width(config),
    };
    let within = (9 * scores).max(rows * of_network).max(of_constants) + 3 * rows * d;
    // In the first micro-batch no gradient is there yet when the backward pass begins; from the second on, there are two of each when it ends.
    let of_weights = n_parameters(config) * BYTES_F32;
    let (not_yet, twice) = if step.micro_batches > 1 { (0, of_weights) } else { (of_weights, 0) };
    let at_the_first_block = twice + (rows * vocab_size + (n_layers - 1) * of_constants + within) * BYTES_F32;
    let at_the_head = (8 * rows * vocab_size * BYTES_F32).saturating_sub(not_yet);
    at_the_head.max(at_the_first_block)
}
// ANCHOR_END: counted
