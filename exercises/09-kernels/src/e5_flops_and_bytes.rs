//! Exercise 09.5: what a block costs, before anything is run.
//!
//! A machine that computes `peak` FLOP/s and moves `bandwidth` bytes/s needs at least
//!
//! ```text
//! max(flops / peak, bytes / bandwidth)
//! ```
//!
//! seconds for an operation. Count both for the forward pass of a block, as if each operation read
//! its inputs once and wrote its output once, in f32 (4 bytes a number):
//!
//! | operation | FLOPs | reads | writes |
//! |---|---|---|---|
//! | [`linear`] of `rows` rows | 2 a row, input and output | input, weight | output |
//! | [`attention`], in blocks | 4 `head_dim` a head and visible pair | q, k, v | output |
//! | [`rms_norm`] | 4 a number | input, weight | output |
//! | [`swiglu`] | 5 an output number | gate, up | output |
//! | a residual addition | 1 a number | two inputs | output |
//!
//! A pair of a query and a key is visible if the key is not later: `seq_len (seq_len + 1) / 2` pairs
//! for each head and sequence. The whole [`block`] is: norm; four linear layers (q, k, v, o), each
//! `d_model` to `d_model`; attention; addition; norm; gate and up, each `d_model` to `d_ff`; SwiGLU;
//! down, `d_ff` to `d_model`; addition. Every operation is run by itself, none is fused with
//! another.
//!
//! Example: `linear(1, 1000, 1000)`, which is generation of one token, does 2 million FLOPs on
//! 4 million bytes of weight: half a FLOP per byte. `linear(1000, 1000, 1000)`, which is training,
//! does 167.
//!
//! Book: `book/src/09-kernels.md`. Source: Williams, Waterman and Patterson, Communications of the
//! ACM 52(4), 2009.

use std::ops::Add;

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
    todo!("{rows} rows, {d_in} to {d_out}")
}

/// Causal attention of all heads of all sequences.
pub fn attention(sizes: &Sizes) -> Cost {
    todo!("{sizes:?}")
}

/// Norm of `(rows, d)`.
pub fn rms_norm(rows: u64, d: u64) -> Cost {
    todo!("{rows} rows of {d}")
}

/// silu(gate) times up, each `(rows, d_ff)`.
pub fn swiglu(rows: u64, d_ff: u64) -> Cost {
    todo!("{rows} rows of {d_ff}")
}

/// The forward pass of one block.
pub fn block(sizes: &Sizes) -> Cost {
    todo!("{sizes:?}")
}

/// The least time, in seconds, on a machine of `peak` FLOP/s and `bandwidth` bytes/s.
pub fn least_seconds(cost: Cost, peak: f64, bandwidth: f64) -> f64 {
    todo!("{cost:?} at {peak} and {bandwidth}")
}

/// Whether memory sets that time.
pub fn is_memory_bound(cost: Cost, peak: f64, bandwidth: f64) -> bool {
    todo!("{cost:?} at {peak} and {bandwidth}")
}
