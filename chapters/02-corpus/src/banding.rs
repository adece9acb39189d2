//! Which pages are compared at all: the signature cut into bands, and how many bands of how many places.
//!
//! The signature is cut into `bands` of `rows` places, and each band puts the page into a bucket. Two pages meet if one band
//! agrees entirely, with probability $1 - (1 - J^r)^b$: an S-curve whose step stands near $(1/b)^{1/r}$.
//!
//! For a threshold $t$ the best curve has little area on the wrong side: above the curve right of $t$ lie pairs that are
//! missed, below it left of $t$ pairs that are compared for nothing. [`MinHashConfig::for_threshold`] tries all
//! $b r \le n$ and takes the smallest mean of both areas, as datasketch does (a golden test holds them together).
//! Source: Leskovec, Rajaraman and Ullman, *Mining of Massive Datasets*, section 3.4.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::minhash::MinHashConfig;
use crate::setting::{InvalidSetting, holds};

/// Intervals of Simpson's rule; the curves are smooth, and this gives more digits than the choice needs.
const N_INTERVALS: usize = 256;

// ANCHOR: s_curve
/// The probability that two pages of the given similarity share at least one band: $1 - (1 - J^r)^b$.
pub fn candidate_probability(jaccard: f64, bands: usize, rows: usize) -> f64 {
    1.0 - (1.0 - jaccard.powi(rows as i32)).powi(bands as i32)
}
// ANCHOR_END: s_curve

// ANCHOR: for_threshold
impl MinHashConfig {
    /// Bands and rows for pairs of similarity `threshold` and above, from at most `n_hashes` permutations.
    ///
    /// # Errors
    /// A threshold that is not between 0 and 1, or not from 1 to 256 permutations.
    pub fn for_threshold(threshold: f64, n_hashes: usize) -> Result<Self, InvalidSetting> {
        let is_inside = threshold > 0.0 && threshold < 1.0;
        holds(is_inside, "the threshold", threshold, "choose a similarity between 0 and 1, such as 0.8")?;
        holds((1..=256).contains(&n_hashes), "the number of permutations", n_hashes, "choose from 1 to 256")?;
        let shapes = (1..=n_hashes).flat_map(|bands| (1..=n_hashes / bands).map(move |rows| (bands, rows)));
        let mut best = (f64::INFINITY, (1, 1));
        for (bands, rows) in shapes {
            let wrong = wrong_area(threshold, bands, rows);
            if wrong < best.0 {
                best = (wrong, (bands, rows));
            }
        }
        let (_, (bands, rows)) = best;
        Ok(Self { bands, rows, min_similarity: threshold, ..Self::default() })
    }
}

/// The area below the S-curve left of the threshold (compared in vain) and above it on the right (missed).
fn wrong_area(threshold: f64, bands: usize, rows: usize) -> f64 {
    let compared = |jaccard: f64| candidate_probability(jaccard, bands, rows);
    integral(compared, 0.0, threshold) + integral(|jaccard| 1.0 - compared(jaccard), threshold, 1.0)
}
// ANCHOR_END: for_threshold

/// Simpson's rule.
fn integral(f: impl Fn(f64) -> f64, from: f64, to: f64) -> f64 {
    let step = (to - from) / N_INTERVALS as f64;
    let weight = |i: usize| match i {
        0 | N_INTERVALS => 1.0,
        odd if odd % 2 == 1 => 4.0,
        _ => 2.0,
    };
    (0..=N_INTERVALS).map(|i| weight(i) * f(from + i as f64 * step)).sum::<f64>() * step / 3.0
}

/// The bucket into which a band of the signature falls, out of $2^{64}$. The band's number is part of it, so that buckets of
/// all bands can lie in one heap. Two bands with one key by chance only cost a comparison.
pub fn bucket_key(signature: &[u32], band: usize, config: &MinHashConfig) -> u64 {
    let rows = &signature[band * config.rows..(band + 1) * config.rows];
    let mut bytes = [0; 4 * 256];
    for (place, value) in bytes.chunks_exact_mut(4).zip(rows) {
        place.copy_from_slice(&value.to_le_bytes());
    }
    xxh3_64_with_seed(&bytes[..4 * rows.len()], band as u64)
}
