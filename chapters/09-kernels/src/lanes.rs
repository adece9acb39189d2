//! Loops that vectorise: sums and maxima in sixteen lanes, and an exponential without a call.
//!
//! A compiler may not reorder a floating-point sum, so `iter().sum()` adds one number after the other and uses a sixteenth of an AVX-512 register.
//! Sixteen partial sums say in the source what the hardware wants; they also make the result the same at every level but for the rounding
//! of fused multiplication.

use std::hint::black_box;

use crate::isa::Arithmetic;

/// Lanes of the partial sums: one AVX-512 register, two of AVX2, four of NEON.
pub const LANES: usize = 16;

// ANCHOR: sum
/// Σ of the lanes, by halving: eight additions that depend on each other would be slower and less exact.
#[inline(always)]
pub fn sum_lanes(mut lanes: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// Σ aᵢ bᵢ of slices of the same length.
#[inline(always)]
pub fn dot<A: Arithmetic>(a: &[f32], b: &[f32]) -> f32 {
    let (a_blocks, a_rest) = a.as_chunks::<LANES>();
    let (b_blocks, b_rest) = b.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for i in 0..LANES {
            lanes[i] = A::mul_add(a[i], b[i], lanes[i]);
        }
    }
    let rest = a_rest.iter().zip(b_rest).fold(0.0, |sum, (a, b)| A::mul_add(*a, *b, sum));
    // Through memory: a compiler that sees how the lanes are added may keep them in pairs from the start, in registers an eighth as wide.
    sum_lanes(black_box(lanes)) + rest
}

/// The largest value; −∞ of an empty slice. A NaN is passed over.
#[inline(always)]
pub fn max(values: &[f32]) -> f32 {
    let (blocks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for block in blocks {
        for i in 0..LANES {
            lanes[i] = if block[i] > lanes[i] { block[i] } else { lanes[i] };
        }
    }
    lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |max, &x| if x > max { x } else { max })
}
// ANCHOR_END: sum

// ANCHOR: exp
/// eˣ to a relative error of 2·10⁻⁷, without a branch or a call, so that a loop over it vectorises.
///
/// With n = round(x / ln 2) and r = x − n ln 2, eˣ = 2ⁿ eʳ where |r| ≤ ln 2 / 2: a polynomial gives eʳ, and 2ⁿ is made of bits. ln 2 is subtracted in two parts, the first short enough that n times it is exact (Cody and Waite). The coefficients are those of Cephes'
/// `expf`. Below −87 the result stays at e⁻⁸⁷, about 10⁻³⁸, and above 88 at e⁸⁸; a NaN stays a NaN.
#[inline(always)]
pub fn exp<A: Arithmetic>(x: f32) -> f32 {
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // Adding 1.5 · 2²³ leaves no room for a fraction: the low bits of the sum are the rounded number.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = A::mul_add(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = A::mul_add(n, -LN_2_LOW, A::mul_add(n, -LN_2_HIGH, x));
    let mut p = 1.987_569_2e-4;
    for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = A::mul_add(p, r, coefficient);
    }
    let of_r = A::mul_add(p * r, r, r) + 1.0;
    // Its low bits are n: with the exponent's bias they make 2ⁿ. A product, and not a sum of bits, lets a NaN through.
    of_r * f32::from_bits(shifted.to_bits().wrapping_add(127) << 23)
}
// ANCHOR_END: exp

/// σ(x) = 1 / (1 + e⁻ˣ).
#[inline(always)]
pub fn sigmoid<A: Arithmetic>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<A>(-x))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;
    use crate::isa::per_isa;

    per_isa! {
        fn exp_all<A>(x: &[f32], y: &mut [f32]) {
            for (x, y) in x.iter().zip(y) {
                *y = exp::<A>(*x);
            }
        }
    }

    per_isa! {
        fn dot_of<A>(a: &[f32], b: &[f32]) -> f32 {
            dot::<A>(a, b)
        }
    }

    #[test]
    fn exp_is_exact_to_two_units_in_ten_million() {
        let x: Vec<f32> = (0..200_000).map(|i| -86.9 + i as f32 * (174.8 / 200_000.0)).collect();
        for &isa in Isa::available() {
            let mut y = vec![0.0; x.len()];
            exp_all(isa, &x, &mut y);
            for (x, y) in x.iter().zip(&y) {
                let truth = f64::from(*x).exp();
                assert!((f64::from(*y) / truth - 1.0).abs() < 2e-7, "{isa}: exp({x}) = {y}, not {truth}");
            }
        }
    }

    #[test]
    fn exp_at_the_edges() {
        for &isa in Isa::available() {
            let mut y = [0.0; 5];
            exp_all(isa, &[0.0, f32::NEG_INFINITY, f32::INFINITY, f32::NAN, -0.0], &mut y);
            let mut with_payload = [0.0];
            exp_all(isa, &[f32::from_bits(0x7fc0_0001)], &mut with_payload);
            assert!(with_payload[0].is_nan());
            assert_eq!(y[0], 1.0);
            assert!(y[1] < 1e-37 && y[2] > 1e38 && y[3].is_nan());
            assert_eq!(y[4], 1.0);
        }
    }

    #[test]
    fn dot_and_max_of_every_length() {
        for n in 0..70 {
            let a: Vec<f32> = (0..n).map(|i| ((i * 37 + 11) % 101) as f32 / 50.0 - 1.0).collect();
            let b: Vec<f32> = (0..n).map(|i| ((i * 53 + 7) % 97) as f32 / 50.0 - 1.0).collect();
            let truth: f64 = a.iter().zip(&b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            for &isa in Isa::available() {
                assert!((f64::from(dot_of(isa, &a, &b)) - truth).abs() < 1e-5, "{isa} {n}");
            }
            assert_eq!(max(&a), a.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        }
    }
}
