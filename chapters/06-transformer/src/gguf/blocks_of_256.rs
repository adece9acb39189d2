//! Blocks of 256 values in parts, whose scales are integers too: "k-quants".
//!
//! A part needs a scale of its own, as values differ in size from place to place, but an f16 for each 32 values costs half a bit a value. So
//! each part has a scale of six or eight bits, and the block one f16 that scales the scales.
//!
//! | type | bytes, in order | value, in part `p` |
//! |---|---|---|
//! | Q4_K | d, dmin, 12 of scales and minima, 128 of two 4-bit q | `x = d s[p] q - dmin m[p]`, 8 parts of 32 |
//! | Q5_K | d, dmin, 12 of scales and minima, 32 of fifth bits, 128 of two 4-bit q | the same |
//! | Q6_K | 128 of lower four bits, 64 of upper two, 16 scales of i8, d | `x = d s[p] (q - 32)`, 16 parts of 16 |
//!
//! Source: ggml, `ggml-quants.c`, functions `dequantize_row_*_K` and `get_scale_min_k4`.

use super::plain::half_at;

/// Values in a part of Q4_K and Q5_K.
const PART: usize = 32;

// ANCHOR: q4_k
pub(super) fn q4_k(block: &[u8], values: &mut [f32]) {
    let (scales, halves) = (&block[4..16], &block[16..]);
    each_part(block, scales, values, |part, i| nibble(halves, part, i));
}

pub(super) fn q5_k(block: &[u8], values: &mut [f32]) {
    let (scales, fifth, halves) = (&block[4..16], &block[16..48], &block[48..]);
    // Bit p of byte i belongs to value i of part p.
    each_part(block, scales, values, |part, i| nibble(halves, part, i) | (fifth[i] >> part & 1) << 4);
}

/// Values of eight parts from their integers `q(part, i)`.
fn each_part(block: &[u8], scales: &[u8], values: &mut [f32], q: impl Fn(usize, usize) -> u8) {
    let (d, d_min) = (half_at(block, 0), half_at(block, 2));
    for (part, values) in values.chunks_exact_mut(PART).enumerate() {
        let (scale, min) = scale_and_min(scales, part);
        let (scale, min) = (d * f32::from(scale), d_min * f32::from(min));
        for (i, value) in values.iter_mut().enumerate() {
            *value = scale * f32::from(q(part, i)) - min;
        }
    }
}

/// Parts lie in pairs: 32 bytes hold one in their lower halves and the next in their upper halves.
fn nibble(halves: &[u8], part: usize, i: usize) -> u8 {
    let byte = halves[part / 2 * PART + i];
    if part.is_multiple_of(2) { byte & 0x0F } else { byte >> 4 }
}

/// The six bits of a part's scale and of its minimum. The first four parts have theirs in the lower bits of bytes 0 to 3 and 4 to 7; of the last
/// four, bytes 8 to 11 hold the lower four bits of both, and the upper two fill what the first eight bytes have left.
fn scale_and_min(bytes: &[u8], part: usize) -> (u8, u8) {
    if part < 4 {
        (bytes[part] & 63, bytes[part + 4] & 63)
    } else {
        let (low, scale_high, min_high) = (bytes[part + 4], bytes[part - 4] >> 6, bytes[part] >> 6);
        (low & 0x0F | scale_high << 4, low >> 4 | min_high << 4)
    }
}
// ANCHOR_END: q4_k

pub(super) fn q6_k(block: &[u8], values: &mut [f32]) {
    let (low, high, scales) = (&block[..128], &block[128..192], &block[192..208]);
    let d = half_at(block, 208);
    for (place, value) in values.iter_mut().enumerate() {
        // Each half of the block is four runs of 32: two in the lower and two in the upper bits of 64 bytes, with upper bits in 32 bytes.
        let (half, run, i) = (place / 128, place % 128 / 32, place % 32);
        let low = low[half * 64 + run % 2 * 32 + i] >> (run / 2 * 4) & 0x0F;
        let high = high[half * 32 + i] >> (run * 2) & 3;
        let scale = scales[place / 16] as i8;
        *value = d * f32::from(scale) * (f32::from(low | high << 4) - 32.0);
    }
}
