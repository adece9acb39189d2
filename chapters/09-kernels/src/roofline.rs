//! What an operation asks of the machine: FLOPs, bytes, and the quotient of the two.
//!
//! A machine computes at most $\pi$ FLOP/s and moves at most $\beta$ bytes/s, so an operation of $F$ FLOPs and $Q$ bytes takes at least
//! $\max(F / \pi,\, Q / \beta)$ seconds. Which of the two it is, its *arithmetic intensity* $I = F / Q$ decides: below the *ridge* $\pi / \beta$ memory
//! sets the time, above it arithmetic. The share of $\pi$ that can be reached is $\min(1,\, I\, \beta / \pi)$: the roofline (Williams, Waterman and Patterson
//! 2009, Communications of the ACM 52(4)).
//!
//! Bytes are counted as if each tensor were read once by each pass that needs it and written once, and as if blocks, which are made for it, stayed in
//! the caches. A multiplication, an addition, a division and a root count one FLOP each.

use transformer::{ModelConfig, n_parameters};

use crate::cross_entropy::CHUNK_ROWS;

const BYTES_F32: usize = 4;
/// FLOPs of [`crate::lanes::exp`], a fused multiply-add being two.
const FLOPS_EXP: usize = 21;
const FLOPS_SIGMOID: usize = FLOPS_EXP + 3;

/// The ridge of the book's examples, in FLOPs per byte.
pub const RIDGE: f64 = 30.0;

// ANCHOR: operation
/// One kind of work of a training step, forward and backward, all layers together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Operation {
    /// What it is.
    pub name: &'static str,
    /// Floating-point operations.
    pub flops: f64,
    /// Bytes between the memory and the caches.
    pub bytes: f64,
}

impl Operation {
    fn new(name: &'static str, flops: usize, n_numbers: usize) -> Self {
        Self { name, flops: flops as f64, bytes: (n_numbers * BYTES_F32) as f64 }
    }

    /// FLOPs per byte.
    pub fn intensity(&self) -> f64 {
        self.flops / self.bytes
    }

    /// The least time, in units of the time that a byte takes, on a machine with this ridge.
    pub fn least_time(&self, ridge: f64) -> f64 {
        self.bytes.max(self.flops / ridge)
    }
}
// ANCHOR_END: operation

// ANCHOR: step
/// The operations of one training step on `batch` sequences of `seq_len` tokens, with kept activations.
pub fn training_step(config: &ModelConfig, batch: usize, seq_len: usize) -> Vec<Operation> {
    let ModelConfig { d_model: d, d_ff, n_layers, n_heads, vocab_size, .. } = *config;
    let (rows, n_parameters) = (batch * seq_len, n_parameters(config));
    let packed = d + 2 * config.kv_width();
    let n_norms = 2 * n_layers + 1;
    // Causal pairs of a query and a key. Seven products: scores and output, then scores again and four gradients.
    let pairs = batch * n_heads * seq_len * (seq_len + 1) / 2;
    let attention_flops = 7 * 2 * pairs * config.head_dim();
    let head_chunks = rows.div_ceil(CHUNK_ROWS);
    let head_numbers = 3 * (rows * d + head_chunks * vocab_size * d + rows * vocab_size);
    vec![
        // Copied; the table's gradient is zeroed, then summed.
        Operation::new("embedding", rows * d, 3 * rows * d + 2 * vocab_size * d),
        // Per number: 4 forward, 2 when it is applied again, 11 backward; two passes of 2 numbers and one of 4.
        Operation::new("norms", n_norms * 17 * rows * d, n_norms * 8 * rows * d),
        linear("linear q, k, v", rows, d, packed, n_layers),
        Operation::new("attention", n_layers * attention_flops, n_layers * 3 * rows * (packed + d)),
        linear("linear o", rows, d, d, n_layers),
        linear("linear gate, up", rows, d, 2 * d_ff, n_layers),
        // Per number: twice forward, once backward; 3 numbers, 3 and 5.
        Operation::new(
            "SwiGLU",
            n_layers * rows * d_ff * (2 * (FLOPS_SIGMOID + 2) + FLOPS_SIGMOID + 8),
            n_layers * rows * d_ff * 11,
        ),
        linear("linear down", rows, d_ff, d, n_layers),
        // Three products, and logits that are read, read again and written in between.
        Operation::new(
            "head and loss",
            6 * rows * d * vocab_size + 2 * FLOPS_EXP * rows * vocab_size,
            head_numbers + 3 * rows * vocab_size,
        ),
        Operation::new("gradient norm", 2 * n_parameters, n_parameters),
        // Weight, gradient and two moments in; all but the gradient out.
        Operation::new("AdamW", 15 * n_parameters, 7 * n_parameters),
    ]
}

/// A linear layer: one product forward, two backward, and each touches all three matrices.
fn linear(name: &'static str, rows: usize, d_in: usize, d_out: usize, n_layers: usize) -> Operation {
    let n_numbers = rows * d_in + d_in * d_out + rows * d_out;
    Operation::new(name, n_layers * 3 * 2 * rows * d_in * d_out, n_layers * 3 * n_numbers)
}
// ANCHOR_END: step

// ANCHOR: passes
/// Numbers read and written per number that a stock operation and a kernel make: the passes over memory that fusion saves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passes {
    /// What is computed, and for what.
    pub name: &'static str,
    /// By tensor operations one after the other, from the reference's code; numbers per row are left out.
    pub stock: usize,
    /// By the kernel.
    pub fused: usize,
}

/// What fusion saves.
pub fn passes() -> [Passes; 4] {
    [
        // x², mean, x · r, · weight.
        Passes { name: "RMSNorm forward, per number", stock: 2 + 1 + 2 + 2, fused: 2 },
        // silu, product.
        Passes { name: "SwiGLU forward, per number", stock: 2 + 3, fused: 3 },
        // The product writes; + mask, max, − max, exp, sum, division; the next product reads.
        Passes { name: "causal softmax forward, per score", stock: 1 + 2 + 1 + 2 + 2 + 1 + 2 + 1, fused: 0 },
        // Twelve operations of one tensor and four of two, each with a result.
        Passes { name: "AdamW, per parameter", stock: 12 * 2 + 4 * 3, fused: 7 },
    ]
}
// ANCHOR_END: passes

#[cfg(test)]
mod tests {
    use super::*;
    use transformer::{Architecture, flops_per_token};

    fn config() -> ModelConfig {
        ModelConfig {
            vocab_size: 4096,
            d_model: 384,
            n_layers: 6,
            n_heads: 6,
            n_kv_heads: 2,
            d_ff: 1024,
            max_seq_len: 256,
            rope_theta: 10_000.0,
            norm_eps: 1e-5,
            architecture: Architecture::LLAMA,
            tie_embeddings: false,
            init_std: 0.02,
        }
    }

    #[test]
    fn matrix_products_are_what_chapter_6_counts() {
        let (config, batch, seq_len) = (config(), 8, 256);
        let step = training_step(&config, batch, seq_len);
        let products: f64 = step.iter().filter(|o| o.name.starts_with("linear")).map(|o| o.flops).sum();
        let head = 6.0 * (batch * seq_len * config.d_model * config.vocab_size) as f64;
        // Chapter 6 counts attention in full and without the recomputed scores: 6 products.
        let full_pairs = (batch * config.n_heads * seq_len * seq_len) as f64;
        let attention = config.n_layers as f64 * 12.0 * full_pairs * config.head_dim() as f64;
        let expected = flops_per_token(&config, seq_len) * (batch * seq_len) as f64;
        assert!(((products + head + attention) / expected - 1.0).abs() < 1e-12);
    }

    #[test]
    fn intensity_of_a_product_is_half_the_harmonic_size() {
        // 2mkn / 4(mk + kn + mn): for a square of n it is n / 6.
        let square = linear("square", 600, 600, 600, 1);
        assert!((square.intensity() - 100.0).abs() < 1e-9);
        assert_eq!(square.least_time(50.0), square.flops / 50.0);
        assert_eq!(square.least_time(200.0), square.bytes);
    }
}
