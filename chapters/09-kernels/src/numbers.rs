//! Numbers for tests.

/// `n` numbers from −`scale` to `scale`: the same each time, and without a pattern that a wrong index would repeat.
pub(crate) fn numbers(n: usize, seed: u32, scale: f32) -> Vec<f32> {
    let hash = |i: u32| (i.wrapping_mul(2_654_435_761) ^ seed.wrapping_mul(40_503)).wrapping_mul(2_246_822_519) >> 8;
    (0..n as u32).map(|i| (hash(i) as f32 / (1 << 23) as f32 - 1.0) * scale).collect()
}
