//! Exercise 09.7: weights of four bits, and a product with them.
//!
//! A row of a weight is cut into blocks of 32 numbers. Each block has a scale `d`, and each number an
//! integer `q` from 0 to 15 that stands for `d (q - 8)`: sixteen steps, eight below zero and seven
//! above. The number of the largest magnitude takes the eighth step below, so it comes back exactly:
//!
//! ```text
//! d = largest / -8                  where largest keeps its sign; of equal magnitudes the first
//! q = floor(x / d + 8.5), at most 15
//! ```
//!
//! A block of zeros has `d = 0` and every `q = 8`. Two integers share a byte: byte `i` holds that of
//! number `i` in its lower four bits and that of number `i + 16` in its upper four. (This is the type
//! Q4_0 of GGUF files, whose `d` is an f16.)
//!
//! Write [`quantize`] and [`dot`]. The product never makes the numbers of the row: within a block it
//! sums `(q - 8) x`, and multiplies that sum by `d` once.
//!
//! Example: a block with -8 at 0, 3 at 1, 7 at 16 and zeros elsewhere has `d = 1`. The integers of
//! numbers 0, 1 and 16 are 0, 11 and 15, those of zeros 8. So byte 0 is `0xF0`, byte 1 is `0x8B`, and
//! all others are `0x88`.
//!
//! Book: `book/src/09-kernels.md`, "Weights of fewer bits". Source: ggml, `quantize_row_q4_0_ref`.

/// 32 numbers in 4 bits each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block {
    /// `d`.
    pub scale: f32,
    /// Two integers a byte.
    pub packed: [u8; 16],
}

/// The block of 32 numbers.
pub fn quantize(values: &[f32; 32]) -> Block {
    todo!("find the scale of {values:?}, then the integers")
}

/// The product of a row with `x`, which has 32 numbers for each block.
pub fn dot(row: &[Block], x: &[f32]) -> f32 {
    todo!("{} blocks with {} numbers", row.len(), x.len())
}
