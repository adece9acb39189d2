//! Numbers that are stored as such. A block is one number.

use half::{bf16 as Bf16, f16 as F16};

/// `x` in IEEE 754's 32 bits.
pub(super) fn f32(block: &[u8], values: &mut [f32]) {
    if let ([a, b, c, d], [value]) = (block, values) {
        *value = f32::from_le_bytes([*a, *b, *c, *d]);
    }
}

/// `x` in IEEE 754's 16 bits: five of exponent, ten of mantissa.
pub(super) fn f16(block: &[u8], values: &mut [f32]) {
    values.fill(half_at(block, 0));
}

/// `x` in 16 bits: the sign, exponent and first seven bits of mantissa of an f32.
pub(super) fn bf16(block: &[u8], values: &mut [f32]) {
    if let ([a, b], [value]) = (block, values) {
        *value = Bf16::from_le_bytes([*a, *b]).to_f32();
    }
}

/// The f16 that begins at a byte of a block.
pub(super) fn half_at(block: &[u8], at: usize) -> f32 {
    F16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// The nearest f16, as its bytes.
pub(super) fn to_half(x: f32) -> [u8; 2] {
    F16::from_f32(x).to_le_bytes()
}
