//! Llama 3's scaling of rotary positions as a tensor.
//!
//! GGUF does not hold the rule ([`RopeScaling::Llama3`]) but its result, `rope_freqs.weight`: for each pair of a head, by what its frequency is
//! divided. Pair `i` of a head turns by `theta^(-2i / head_dim)` a position. With `s` going from 0 where a rotation is slow to 1 where it is fast,
//! ```text
//! divisor = 1 / (s + (1 - s) / factor),   s = (original · frequency / 2π - low) / (high - low), between 0 and 1
//! ```
//! Backwards, `factor` is the largest divisor. A file may say `original` (`rope.scaling.original_context_length`; ours do); if not, it is
//! Llama 3's, as `low` and `high` are. The rule that is found must give the tensor again, or it is refused.

use attention::RopeScaling;
use candle_core::{Result, bail};

use crate::ModelConfig;

/// Llama 3's own numbers.
const LOW_FREQ_FACTOR: f64 = 1.0;
const HIGH_FREQ_FACTOR: f64 = 4.0;
const ORIGINAL_MAX_SEQ_LEN: usize = 8192;

// ANCHOR: factors
/// The divisors of a model's frequencies, if it has Llama 3's scaling.
pub(super) fn divisors(config: &ModelConfig) -> Option<Vec<f32>> {
    match config.rope_scaling() {
        Some(scaling @ RopeScaling::Llama3 { .. }) => Some(divisors_of(scaling, config.rope_theta, config.head_dim())),
        _ => None,
    }
}

fn divisors_of(scaling: RopeScaling, rope_theta: f64, head_dim: usize) -> Vec<f32> {
    let frequency = |pair: usize| rope_theta.powf(-2.0 * pair as f64 / head_dim as f64);
    (0..head_dim / 2).map(|pair| (frequency(pair) / scaling.scaled(frequency(pair))) as f32).collect()
}

/// The scaling that has these divisors.
///
/// # Errors
/// If it is not Llama 3's; the message names the pair and both divisors.
pub(super) fn scaling(found: &[f32], rope_theta: f64, head_dim: usize, original: Option<usize>) -> Result<RopeScaling> {
    let largest = found.iter().fold(0.0_f32, |max, divisor| max.max(*divisor));
    let scaling = RopeScaling::Llama3 {
        factor: f64::from(largest),
        low_freq_factor: LOW_FREQ_FACTOR,
        high_freq_factor: HIGH_FREQ_FACTOR,
        original_max_seq_len: original.unwrap_or(ORIGINAL_MAX_SEQ_LEN),
    };
    scaling.validate()?;
    let expected = divisors_of(scaling, rope_theta, head_dim);
    if expected.len() != found.len() {
        bail!("rope_freqs.weight has {} numbers; heads of {head_dim} have {} pairs", found.len(), expected.len());
    }
    // An f32 has 24 bits, and files are written from frequencies that were f32 too.
    let is_apart = |(found, expected): (&f32, &f32)| (found - expected).abs() > 1e-4 * expected;
    match found.iter().zip(&expected).position(is_apart) {
        None => Ok(scaling),
        Some(pair) => bail!(
            "rope_freqs.weight divides the frequency of pair {pair} by {}, Llama 3's rule with factor {largest} by {}; other rules are not supported",
            found[pair],
            expected[pair]
        ),
    }
}
// ANCHOR_END: factors
