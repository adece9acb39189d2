//! How the numbers of a tensor are stored, by ggml's number for it.
//!
//! A quantised tensor is a row of blocks. A block holds a few small integers and one or two numbers in f16 by which they become values again, so
//! it costs a little over the integers' bits:
//!
//! | type | values a block | bytes a block | bits a value |
//! |---|---|---|---|
//! | Q8_0 | 32 | 34 | 8.5 |
//! | Q6_K | 256 | 210 | 6.5625 |
//! | Q5_0, Q5_1 | 32 | 22, 24 | 5.5, 6 |
//! | Q5_K | 256 | 176 | 5.5 |
//! | Q4_0, Q4_1 | 32 | 18, 20 | 4.5, 5 |
//! | Q4_K | 256 | 144 | 4.5 |
//!
//! Refused are ggml's other types (Q2_K, Q3_K, Q8_1, the IQ family …), by number.
//!
//! Source: ggml, `ggml.h` for the numbers, `ggml-common.h` for the blocks.

use candle_core::{Result, bail};

use super::{blocks_of_32, blocks_of_256, plain};

// ANCHOR: block_type
/// A type of stored numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockType {
    /// 32-bit floats.
    F32,
    /// 16-bit floats of IEEE 754.
    F16,
    /// The upper half of 32-bit floats.
    BF16,
    /// 4 bits and a scale.
    Q4_0,
    /// 4 bits, a scale and a minimum.
    Q4_1,
    /// 5 bits and a scale.
    Q5_0,
    /// 5 bits, a scale and a minimum.
    Q5_1,
    /// 8 bits and a scale.
    Q8_0,
    /// 4 bits; scales and minima of eight parts are themselves quantised.
    Q4K,
    /// The same with 5 bits.
    Q5K,
    /// 6 bits; scales of sixteen parts are themselves quantised.
    Q6K,
}

/// Type, number, name, values a block, bytes a block.
const TYPES: [(BlockType, u32, &str, usize, usize); 11] = [
    (BlockType::F32, 0, "F32", 1, 4),
    (BlockType::F16, 1, "F16", 1, 2),
    (BlockType::BF16, 30, "BF16", 1, 2),
    (BlockType::Q4_0, 2, "Q4_0", 32, 18),
    (BlockType::Q4_1, 3, "Q4_1", 32, 20),
    (BlockType::Q5_0, 6, "Q5_0", 32, 22),
    (BlockType::Q5_1, 7, "Q5_1", 32, 24),
    (BlockType::Q8_0, 8, "Q8_0", 32, 34),
    (BlockType::Q4K, 12, "Q4_K", 256, 144),
    (BlockType::Q5K, 13, "Q5_K", 256, 176),
    (BlockType::Q6K, 14, "Q6_K", 256, 210),
];
// ANCHOR_END: block_type

impl BlockType {
    /// The type of a number.
    ///
    /// # Errors
    /// If it is not among those that are read.
    pub(super) fn from_number(number: u32) -> std::result::Result<Self, String> {
        TYPES.into_iter().find(|row| row.1 == number).map(|row| row.0).ok_or_else(|| {
            let known: Vec<&str> = TYPES.iter().map(|row| row.2).collect();
            format!("its type {number} is not supported; known are {}", known.join(", "))
        })
    }

    /// Its number.
    pub fn number(self) -> u32 {
        self.row().1
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.row().2
    }

    /// How many values a block holds.
    pub fn values_per_block(self) -> usize {
        self.row().3
    }

    /// How many bytes a block takes.
    pub fn bytes_per_block(self) -> usize {
        self.row().4
    }

    fn row(self) -> (Self, u32, &'static str, usize, usize) {
        TYPES.into_iter().find(|row| row.0 == self).unwrap_or(TYPES[0])
    }

    /// The values of whole blocks; bytes of a broken last one are left out.
    pub fn dequantize(self, bytes: &[u8]) -> Vec<f32> {
        let n_values = bytes.len() / self.bytes_per_block() * self.values_per_block();
        let mut values = vec![0.0; n_values];
        let blocks = bytes.chunks_exact(self.bytes_per_block()).zip(values.chunks_exact_mut(self.values_per_block()));
        let each: fn(&[u8], &mut [f32]) = match self {
            Self::F32 => plain::f32,
            Self::F16 => plain::f16,
            Self::BF16 => plain::bf16,
            Self::Q4_0 => blocks_of_32::q4_0,
            Self::Q4_1 => blocks_of_32::q4_1,
            Self::Q5_0 => blocks_of_32::q5_0,
            Self::Q5_1 => blocks_of_32::q5_1,
            Self::Q8_0 => blocks_of_32::q8_0,
            Self::Q4K => blocks_of_256::q4_k,
            Self::Q5K => blocks_of_256::q5_k,
            Self::Q6K => blocks_of_256::q6_k,
        };
        blocks.for_each(|(block, values)| each(block, values));
        values
    }
    /// Whole blocks of some values; a broken last one is left out.
    ///
    /// # Errors
    /// If the type is one that is only read, or cannot hold a value.
    pub fn quantize(self, values: &[f32]) -> Result<Vec<u8>> {
        let each: fn(&[f32], &mut Vec<u8>) = match self {
            Self::F32 => |block, bytes| block.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
            Self::F16 => |block, bytes| block.iter().for_each(|x| bytes.extend(plain::to_half(*x))),
            Self::Q8_0 => blocks_of_32::to_q8_0,
            Self::Q4_0 => blocks_of_32::to_q4_0,
            other => bail!("{} is read, but not written", other.name()),
        };
        let mut bytes = Vec::with_capacity(values.len() / self.values_per_block() * self.bytes_per_block());
        values.chunks_exact(self.values_per_block()).for_each(|block| each(block, &mut bytes));
        // An f16, and so a block's scale, ends at 65,504: what is beyond became infinite. And integers know no NaN.
        let stored = self.dequantize(&bytes);
        if let Some((x, _)) = values.iter().zip(&stored).find(|(x, stored)| x.is_finite() != stored.is_finite()) {
            bail!("{x} cannot be stored as {}; choose f32", self.name());
        }
        Ok(bytes)
    }
}
