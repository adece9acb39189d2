//! The memory that training takes at its peak, counted from the shapes before anything is allocated.
//!
//! Three parts are known from the number of parameters $P$ alone: f32 weights, gradients and two moments of AdamW are $16P$ bytes. Two depend on the micro-batch: what the
//! blocks keep for their backward pass ([`kept_by_block`]), and what is in use *within* one operation at the worst moment: gradients in flight, room for one block's backward pass,
//! and the head's logits. The peak falls into the backward pass, when all blocks' activations are still held.
//!
//! What is not counted: the process and its libraries, a CUDA context (some hundred MB), and what an allocator loses between blocks. A test measures the sum at the allocator.

use transformer::{ModelConfig, n_parameters};

use crate::activation_memory::{Graph, kept_by_block, kept_bytes};
use crate::cross_entropy::CHUNK_ROWS;

const BYTES_F32: usize = 4;
const BYTES_BF16: usize = 2;

// ANCHOR: held
/// How the numbers of a step are stored; sums, moments and the weights that AdamW changes are f32 in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// Everything as f32: what this book's kernels do, also where they multiply in bf16.
    F32,
    /// Activations as bf16, and a bf16 copy of the weights: mixed precision as GPUs run it.
    Bf16,
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
        let (bytes, copy) = match step.stored {
            Stored::F32 => (BYTES_F32, 0),
            Stored::Bf16 => (BYTES_BF16, n_parameters(config) * BYTES_BF16),
        };
        Self {
            weights: of_weights + copy,
            gradients: of_weights,
            moments: 2 * of_weights,
            activations: kept_numbers(config, step) * bytes,
            working: working_bytes(config, step, bytes),
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
/// Numbers that are kept from forward to backward: by the blocks, by the final norm and by the head.
fn kept_numbers(config: &ModelConfig, step: &StepSizes) -> usize {
    let (d, rows) = (config.d_model, step.batch * step.seq_len);
    let of_block = kept_bytes(&kept_by_block(config, step.batch, step.seq_len), step.graph) / BYTES_F32;
    let of_end = match step.graph {
        // The norm's steps; logits, shifted logits and their exponentials.
        Graph::Stock => rows * (4 * d + 5) + 3 * rows * config.vocab_size,
        // The stream after the last block, and normed.
        Graph::Primitives | Graph::Branches | Graph::Recompute => 2 * rows * d,
    };
    config.n_layers * of_block + of_end
}

/// Bytes in use within the backward pass, beyond what is kept.
fn working_bytes(config: &ModelConfig, step: &StepSizes, bytes: usize) -> usize {
    let ModelConfig { d_model: d, d_ff, vocab_size, .. } = *config;
    let rows = step.batch * step.seq_len;
    let packed = d + 2 * config.kv_width();
    // candle's sums: the gradient of the result, that of the input, zeros, and their sum.
    let in_flight = 4 * rows * d * bytes;
    if step.graph == Graph::Stock {
        return stock_working_bytes(config, step, bytes);
    }
    // The pool of buffers keeps the most that each size was needed: three streams, queries with keys and values, gate and up, their product.
    let of_block = rows * (3 * d + packed + 2 * d_ff + d_ff) * bytes;
    let again = match step.graph {
        // Backward begins by making once more what forward did not keep.
        Graph::Recompute => rows * (d + packed + 2 * d_ff) * bytes,
        _ => 0,
    };
    let of_head = (CHUNK_ROWS.min(rows) * vocab_size + vocab_size * d) * BYTES_F32;
    in_flight + of_block + again + of_head
}

/// The same for stock operations. candle computes gradients of constants too, and keeps them, with all that they were made of, to the end: so there is
/// more with every block that the backward pass has been through.
fn stock_working_bytes(config: &ModelConfig, step: &StepSizes, bytes: usize) -> usize {
    let ModelConfig { d_model: d, d_ff, n_layers, n_heads, vocab_size, .. } = *config;
    let rows = step.batch * step.seq_len;
    let scores = rows * n_heads * step.seq_len;
    // Mask and maximum; sines and cosines, each with its zeros, its product and the gradient above it.
    let of_constants = 2 * scores + 4 * 2 * rows * (d + config.kv_width());
    // The worst moments within a block: the quotient of a softmax, and silu.
    let within = (9 * scores).max(13 * rows * d_ff).max(of_constants) + 3 * rows * d;
    // In the first micro-batch no gradient is there yet when the backward pass begins; from the second on, there are two of each when it ends.
    let of_weights = n_parameters(config) * BYTES_F32;
    let (not_yet, twice) = if step.micro_batches > 1 { (0, of_weights) } else { (of_weights, 0) };
    let at_the_first_block = twice + (rows * vocab_size + (n_layers - 1) * of_constants + within) * bytes;
    let at_the_head = (8 * rows * vocab_size * bytes).saturating_sub(not_yet);
    at_the_head.max(at_the_first_block)
}
// ANCHOR_END: counted
