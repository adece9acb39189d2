//! Planted bug: a linear layer reads no weight.

use std::ops::Add;

const BYTES_F32: u64 = 4;

/// What an operation asks of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Floating-point operations.
    pub flops: u64,
    /// Bytes read and written.
    pub bytes: u64,
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { flops: self.flops + other.flops, bytes: self.bytes + other.bytes }
    }
}

/// Sizes of a block and of its input.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Sequences.
    pub batch: u64,
    /// Tokens of each.
    pub seq_len: u64,
    /// Width of the residual stream.
    pub d_model: u64,
    /// Heads, of queries as of keys and values.
    pub n_heads: u64,
    /// Inner width of SwiGLU.
    pub d_ff: u64,
}

/// `(rows, d_in)` to `(rows, d_out)`.
pub fn linear(rows: u64, d_in: u64, d_out: u64) -> Cost {
    Cost { flops: 2 * rows * d_in * d_out, bytes: BYTES_F32 * (rows * d_in + rows * d_out) }
}

/// Causal attention of all heads of all sequences.
pub fn attention(sizes: &Sizes) -> Cost {
    let Sizes { batch, seq_len, d_model, n_heads, .. } = *sizes;
    let pairs = batch * n_heads * seq_len * (seq_len + 1) / 2;
    Cost { flops: 4 * (d_model / n_heads) * pairs, bytes: BYTES_F32 * 4 * batch * seq_len * d_model }
}

/// Norm of `(rows, d)`.
pub fn rms_norm(rows: u64, d: u64) -> Cost {
    Cost { flops: 4 * rows * d, bytes: BYTES_F32 * (2 * rows * d + d) }
}

/// silu(gate) times up, each `(rows, d_ff)`.
pub fn swiglu(rows: u64, d_ff: u64) -> Cost {
    Cost { flops: 5 * rows * d_ff, bytes: BYTES_F32 * 3 * rows * d_ff }
}

/// The forward pass of one block.
pub fn block(sizes: &Sizes) -> Cost {
    let Sizes { batch, seq_len, d_model, d_ff, .. } = *sizes;
    let rows = batch * seq_len;
    let addition = Cost { flops: rows * d_model, bytes: BYTES_F32 * 3 * rows * d_model };
    let square = linear(rows, d_model, d_model);
    let expand = linear(rows, d_model, d_ff);
    let attention_branch = rms_norm(rows, d_model) + square + square + square + attention(sizes) + square + addition;
    let inner = expand + expand + swiglu(rows, d_ff) + linear(rows, d_ff, d_model);
    attention_branch + rms_norm(rows, d_model) + inner + addition
}

/// The least time, in seconds, on a machine of `peak` FLOP/s and `bandwidth` bytes/s.
pub fn least_seconds(cost: Cost, peak: f64, bandwidth: f64) -> f64 {
    (cost.flops as f64 / peak).max(cost.bytes as f64 / bandwidth)
}

/// Whether memory sets that time.
pub fn is_memory_bound(cost: Cost, peak: f64, bandwidth: f64) -> bool {
    cost.bytes as f64 / bandwidth > cost.flops as f64 / peak
}
