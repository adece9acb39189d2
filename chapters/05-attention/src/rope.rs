//! Rotary position embedding (Su et al. 2021, arXiv 2104.09864, section 3.2), in the half-split layout of Llama.
//!
//! Pair element $i$ of a head with element $i + d/2$ and rotate the pair by the angle $m\,\theta_i$ at position $m$, where
//! $\theta_i = \text{base}^{-2i/d}$:
//! $$\begin{pmatrix} x'_i \\ x'_{i+d/2} \end{pmatrix} =
//!   \begin{pmatrix} \cos m\theta_i & -\sin m\theta_i \\ \sin m\theta_i & \cos m\theta_i \end{pmatrix}
//!   \begin{pmatrix} x_i \\ x_{i+d/2} \end{pmatrix}.$$
//! A rotation keeps lengths, and the product of a query at $m$ with a key at $n$ depends on $m - n$ alone.
//!
//! A model that was trained on short texts is stretched to longer ones by slower rotations ([`RopeScaling`]).

use std::f64::consts::TAU;

use candle_core::{D, Device, Result, Tensor, bail};
use serde::{Deserialize, Serialize};

// ANCHOR: scaling
/// How the frequencies of a longer context follow from those that a model was first trained with.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RopeScaling {
    /// As they are.
    #[default]
    None,
    /// Every frequency divided by `factor`: positions are interpolated (Chen et al. 2023, arXiv 2306.15595).
    Linear {
        /// How many times longer the context becomes.
        factor: f64,
    },
    /// Llama 3.1's: fast rotations stay, slow ones are divided by `factor`, those between go over smoothly (Grattafiori et al. 2024, arXiv
    /// 2407.21783, section 3.4.2; the rule itself is in Meta's published code).
    Llama3 {
        /// By how much the slowest rotations are slowed down.
        factor: f64,
        /// Rotations that turn fewer times than this in the original context are slowed down in full.
        low_freq_factor: f64,
        /// Rotations that turn more often than this in the original context stay.
        high_freq_factor: f64,
        /// Tokens of the original context.
        original_max_seq_len: usize,
    },
}

impl RopeScaling {
    /// The frequency to use in place of `frequency`, both in radians a position.
    pub fn scaled(&self, frequency: f64) -> f64 {
        match *self {
            Self::None => frequency,
            Self::Linear { factor } => frequency / factor,
            Self::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_seq_len } => {
                let n_turns = original_max_seq_len as f64 * frequency / TAU;
                // 0 where a rotation is slow, 1 where it is fast.
                let share = ((n_turns - low_freq_factor) / (high_freq_factor - low_freq_factor)).clamp(0.0, 1.0);
                frequency * (share + (1.0 - share) / factor)
            }
        }
    }

    /// Checks the numbers.
    ///
    /// # Errors
    /// Names the first that makes no sense.
    pub fn validate(&self) -> Result<()> {
        let is_positive = |x: f64| x > 0.0 && x.is_finite();
        match *self {
            Self::Linear { factor } | Self::Llama3 { factor, .. } if !is_positive(factor) => {
                bail!("rope scaling: factor {factor} must be a positive number");
            }
            Self::Llama3 { low_freq_factor: low, high_freq_factor: high, original_max_seq_len, .. } => {
                if !(is_positive(low) && high > low && high.is_finite()) {
                    bail!("rope scaling: high_freq_factor {high} must be above low_freq_factor {low}, both positive");
                }
                if original_max_seq_len == 0 {
                    bail!("rope scaling: the original context has 0 tokens; it must have at least 1");
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
// ANCHOR_END: scaling

// ANCHOR: rope
/// Numbers in each of the two tables, at most: half a gigabyte, a million positions of heads of 256.
const MAX_ANGLES: usize = 1 << 27;

/// Cosines and sines of every position up to a maximum, each of shape `(max_seq_len, head_dim / 2)`, f32.
#[derive(Debug, Clone)]
pub struct Rope {
    cos: Tensor,
    sin: Tensor,
}

impl Rope {
    /// Tables for `max_seq_len` positions. `base` is Llama's `rope_theta`.
    ///
    /// # Errors
    /// If `head_dim` is odd: the rotation works on pairs.
    pub fn new(head_dim: usize, max_seq_len: usize, base: f64, device: &Device) -> Result<Self> {
        Self::scaled(head_dim, max_seq_len, base, RopeScaling::None, device)
    }

    /// The same with other frequencies.
    ///
    /// # Errors
    /// As [`Rope::new`], if the scaling's numbers make no sense, or for more positions than anyone reads: the tables are held in memory.
    pub fn scaled(
        head_dim: usize,
        max_seq_len: usize,
        base: f64,
        scaling: RopeScaling,
        device: &Device,
    ) -> Result<Self> {
        scaling.validate()?;
        if !head_dim.is_multiple_of(2) {
            bail!("head_dim {head_dim} is odd; rotary positions rotate pairs");
        }
        let half = head_dim / 2;
        if max_seq_len.checked_mul(half).is_none_or(|n| n > MAX_ANGLES) {
            bail!(
                "cosines and sines of {max_seq_len} positions would take more than a gigabyte; lower the longest sequence (max_position_embeddings in config.json)"
            );
        }
        let frequencies: Vec<f64> =
            (0..half).map(|i| scaling.scaled(base.powf(-2.0 * i as f64 / head_dim as f64))).collect();
        let angle = |i: usize| (i / half) as f64 * frequencies[i % half];
        let table = |f: fn(f64) -> f64| {
            let values: Vec<f32> = (0..max_seq_len * half).map(|i| f(angle(i)) as f32).collect();
            Tensor::from_vec(values, (max_seq_len, half), device)
        };
        Ok(Self { cos: table(f64::cos)?, sin: table(f64::sin)? })
    }

    /// Rotates `x` `(batch, n_heads, seq_len, head_dim)`, whose first token stands at position `start`.
    ///
    /// # Errors
    /// If the positions reach beyond the table, or `head_dim` is not the table's.
    pub fn rotate(&self, x: &Tensor, start: usize) -> Result<Tensor> {
        let (_batch, _n_heads, seq_len, head_dim) = x.dims4()?;
        let (max_seq_len, half) = self.cos.dims2()?;
        if start + seq_len > max_seq_len {
            bail!("position {} is beyond max_seq_len {max_seq_len}", start + seq_len - 1);
        }
        if head_dim != 2 * half {
            bail!("head_dim {head_dim} is not the {} that the rotary tables were made for", 2 * half);
        }
        let cos = self.cos.narrow(0, start, seq_len)?.to_dtype(x.dtype())?; // (seq_len, head_dim / 2)
        let sin = self.sin.narrow(0, start, seq_len)?.to_dtype(x.dtype())?;
        let first = x.narrow(D::Minus1, 0, half)?; // (batch, n_heads, seq_len, head_dim / 2)
        let second = x.narrow(D::Minus1, half, half)?;
        let rotated_first = (first.broadcast_mul(&cos)? - second.broadcast_mul(&sin)?)?;
        let rotated_second = (first.broadcast_mul(&sin)? + second.broadcast_mul(&cos)?)?;
        Tensor::cat(&[rotated_first, rotated_second], D::Minus1)
    }
}
// ANCHOR_END: rope

impl Rope {
    /// Cosines and sines, each `(max_seq_len, head_dim / 2)`.
    pub fn tables(&self) -> (&Tensor, &Tensor) {
        (&self.cos, &self.sin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llama_3_keeps_fast_rotations_and_slows_slow_ones() {
        let scaling = RopeScaling::Llama3 {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_seq_len: 8192,
        };
        let turning = |n_turns: f64| n_turns * TAU / 8192.0; // The frequency of so many turns in 8,192 positions.
        let ratio = |n_turns: f64| scaling.scaled(turning(n_turns)) / turning(n_turns);
        for (n_turns, expected) in
            [(100.0, 1.0), (4.0, 1.0), (2.5, (1.0 + 1.0 / 8.0) / 2.0), (1.0, 0.125), (0.1, 0.125)]
        {
            assert!((ratio(n_turns) - expected).abs() < 1e-12, "{n_turns} turns: {}", ratio(n_turns));
        }
    }

    #[test]
    fn numbers_without_sense_are_refused_by_name() {
        let llama = |factor, low_freq_factor, high_freq_factor, original_max_seq_len| RopeScaling::Llama3 {
            factor,
            low_freq_factor,
            high_freq_factor,
            original_max_seq_len,
        };
        for (scaling, message) in [
            (RopeScaling::Linear { factor: 0.0 }, "factor 0"),
            (llama(f64::NAN, 1.0, 4.0, 8), "factor NaN"),
            (llama(8.0, 4.0, 4.0, 8), "high_freq_factor 4 must be above low_freq_factor 4"),
            (llama(8.0, 1.0, 4.0, 0), "0 tokens"),
        ] {
            let error = Rope::scaled(4, 8, 1e4, scaling, &Device::Cpu).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
