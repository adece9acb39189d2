//! Blocks of 32 values that share a scale `d`, an f16, and in two types a minimum `m`, another.
//!
//! | type | bytes, in order | value |
//! |---|---|---|
//! | Q8_0 | d, 32 of i8 | `x = d q` |
//! | Q4_0 | d, 16 of two 4-bit q | `x = d (q - 8)` |
//! | Q4_1 | d, m, 16 of two 4-bit q | `x = d q + m` |
//! | Q5_0 | d, 32 fifth bits, 16 of two 4-bit q | `x = d (q - 16)` |
//! | Q5_1 | d, m, 32 fifth bits, 16 of two 4-bit q | `x = d q + m` |
//!
//! Byte `i` of the halves holds value `i` in its lower four bits and value `i + 16` in its upper four.
//!
//! To quantise, Q8_0 takes `d = max |x| / 127` and rounds. Q4_0 has sixteen steps, `-8` to `7`, of which `-8` is for the value of the largest
//! magnitude: `d = x_max / -8`, negative if that value is positive, so that it comes back exactly.
//!
//! Source: ggml, `ggml-quants.c`, functions `dequantize_row_*` and `quantize_row_*_ref`.

use super::plain::{half_at, to_half};

/// Values in a block.
pub(super) const BLOCK: usize = 32;
const HALF: usize = BLOCK / 2;

// ANCHOR: q8_0
pub(super) fn q8_0(block: &[u8], values: &mut [f32]) {
    let d = half_at(block, 0);
    for (value, q) in values.iter_mut().zip(&block[2..]) {
        *value = d * f32::from(*q as i8);
    }
}

/// Appends the block of 32 values.
pub(super) fn to_q8_0(values: &[f32], bytes: &mut Vec<u8>) {
    let d = values.iter().fold(0.0_f32, |max, x| max.max(x.abs())) / 127.0;
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    bytes.extend(to_half(d));
    bytes.extend(values.iter().map(|x| (x * inverse).round() as i8 as u8));
}
// ANCHOR_END: q8_0

// ANCHOR: q4_0
pub(super) fn q4_0(block: &[u8], values: &mut [f32]) {
    let d = half_at(block, 0);
    each_nibble(&block[2..], values, |_, q| d * (f32::from(q) - 8.0));
}

/// Appends the block of 32 values.
pub(super) fn to_q4_0(values: &[f32], bytes: &mut Vec<u8>) {
    // The first of several that are as large.
    let largest = values.iter().fold(0.0_f32, |max, x| if x.abs() > max.abs() { *x } else { max });
    let d = largest / -8.0;
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    // A conversion to an integer cuts the fraction off, so half more rounds; 16 can come of that, and is brought back to 15.
    let q = |x: f32| ((x * inverse + 8.5) as u8).min(15);
    bytes.extend(to_half(d));
    bytes.extend((0..HALF).map(|i| q(values[i]) | q(values[i + HALF]) << 4));
}
// ANCHOR_END: q4_0

pub(super) fn q4_1(block: &[u8], values: &mut [f32]) {
    let (d, m) = (half_at(block, 0), half_at(block, 2));
    each_nibble(&block[4..], values, |_, q| d * f32::from(q) + m);
}

pub(super) fn q5_0(block: &[u8], values: &mut [f32]) {
    let (d, fifth) = (half_at(block, 0), &block[2..6]);
    each_nibble(&block[6..], values, |i, q| d * (f32::from(q | bit(fifth, i) << 4) - 16.0));
}

pub(super) fn q5_1(block: &[u8], values: &mut [f32]) {
    let (d, m, fifth) = (half_at(block, 0), half_at(block, 2), &block[4..8]);
    each_nibble(&block[8..], values, |i, q| d * f32::from(q | bit(fifth, i) << 4) + m);
}

/// Sets each value to what `f` makes of its place and its four bits.
fn each_nibble(bytes: &[u8], values: &mut [f32], f: impl Fn(usize, u8) -> f32) {
    for (i, byte) in bytes.iter().enumerate() {
        values[i] = f(i, byte & 0x0F);
        values[i + HALF] = f(i + HALF, byte >> 4);
    }
}

/// Bit `i` of some bytes, the lowest of the first byte first.
fn bit(bytes: &[u8], i: usize) -> u8 {
    bytes[i / 8] >> (i % 8) & 1
}
