//! The sizes that define a model. Everything else, from the number of parameters to the shape of each weight, follows from them.

use attention::RopeScaling;
use candle_core::{Result, bail};
use serde::{Deserialize, Serialize};

use crate::{Architecture, Positions};

// ANCHOR: config
/// A decoder-only transformer: its sizes, and what its parts are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Number of different tokens.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Number of blocks.
    pub n_layers: usize,
    /// Number of query heads.
    pub n_heads: usize,
    /// Number of key-value heads, each shared by `n_heads / n_kv_heads` query heads.
    pub n_kv_heads: usize,
    /// Inner width of the network for each position.
    pub d_ff: usize,
    /// Longest sequence, in tokens.
    pub max_seq_len: usize,
    /// Base of the rotary frequencies.
    #[serde(default = "default_rope_theta")]
    pub rope_theta: f64,
    /// Added to the mean square in a norm, against division by zero.
    #[serde(default = "default_norm_eps", alias = "rms_norm_eps")]
    pub norm_eps: f64,
    /// Whether the head reuses the embedding matrix.
    #[serde(default = "default_tie_embeddings")]
    pub tie_embeddings: bool,
    /// Standard deviation of the initial weights.
    #[serde(default = "default_init_std")]
    pub init_std: f64,
    /// What the parts are; a Llama's, if not said.
    #[serde(default)]
    pub architecture: Architecture,
}
// ANCHOR_END: config

fn default_rope_theta() -> f64 {
    10_000.0
}

fn default_norm_eps() -> f64 {
    1e-5
}

fn default_tie_embeddings() -> bool {
    true
}

fn default_init_std() -> f64 {
    0.02
}

impl ModelConfig {
    /// Width of one head.
    pub fn head_dim(&self) -> usize {
        self.architecture.head_dim.unwrap_or_else(|| self.d_model / self.n_heads)
    }

    /// Width of all query heads together: `d_model`, unless `head_dim` says otherwise.
    pub fn q_width(&self) -> usize {
        self.n_heads * self.head_dim()
    }

    /// Width of all key-value heads together.
    pub fn kv_width(&self) -> usize {
        self.n_kv_heads * self.head_dim()
    }

    /// How rotary frequencies are scaled, if positions are rotary.
    pub fn rope_scaling(&self) -> Option<RopeScaling> {
        match self.architecture.positions {
            Positions::Rotary(scaling) => Some(scaling),
            Positions::Learned => None,
        }
    }
}

// ANCHOR: validate
impl ModelConfig {
    /// Checks that the sizes fit each other.
    ///
    /// # Errors
    /// Names the first values that do not fit and what would.
    pub fn validate(&self) -> Result<()> {
        // Far above what anyone has, and low enough that their products stay numbers: a file must not make us count to 2^60.
        let sizes = [
            ("vocab_size", self.vocab_size, 1 << 24),
            ("d_model", self.d_model, 1 << 20),
            ("n_layers", self.n_layers, 1 << 14),
            ("n_heads", self.n_heads, 1 << 14),
            ("n_kv_heads", self.n_kv_heads, 1 << 14),
            ("d_ff", self.d_ff, 1 << 24),
            ("max_seq_len", self.max_seq_len, 1 << 32),
            ("head_dim", self.architecture.head_dim.unwrap_or(1), 1 << 16),
        ];
        for (name, size, largest) in sizes {
            if size == 0 {
                bail!("{name} is 0; it must be at least 1");
            }
            if size > largest {
                bail!("{name} {size} is more than any model has; it must be at most {largest}");
            }
        }
        if self.architecture.sliding_window == Some(0) {
            bail!("sliding_window is 0; it must be at least 1 where it is given");
        }
        if self.architecture.head_dim.is_none() && !self.d_model.is_multiple_of(self.n_heads) {
            let choices = nearest_divisors(self.d_model, self.n_heads);
            bail!("n_heads {} does not divide d_model {}; choose {choices}", self.n_heads, self.d_model);
        }
        if !self.n_heads.is_multiple_of(self.n_kv_heads) {
            let choices = nearest_divisors(self.n_heads, self.n_kv_heads);
            bail!("n_kv_heads {} does not divide n_heads {}; choose {choices}", self.n_kv_heads, self.n_heads);
        }
        if let Some(scaling) = self.rope_scaling() {
            scaling.validate()?;
            if !self.head_dim().is_multiple_of(2) {
                bail!(
                    "d_model {} over n_heads {} gives heads of {} numbers; rotary positions need an even head_dim",
                    self.d_model,
                    self.n_heads,
                    self.head_dim()
                );
            }
        }
        let positive = [("rope_theta", self.rope_theta), ("norm_eps", self.norm_eps), ("init_std", self.init_std)];
        if let Some((name, value)) = positive.iter().find(|(_, value)| !(*value > 0.0 && value.is_finite())) {
            bail!("{name} {value} must be a positive number");
        }
        Ok(())
    }
}
// ANCHOR_END: validate

/// The divisors of `n` just below and just above `wanted`, as words: "4 or 8".
fn nearest_divisors(n: usize, wanted: usize) -> String {
    let divisors: Vec<usize> = (1..=n).filter(|d| n.is_multiple_of(*d)).collect();
    let below = divisors.iter().rev().find(|d| **d < wanted);
    let above = divisors.iter().find(|d| **d > wanted);
    [below, above].into_iter().flatten().map(usize::to_string).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> ModelConfig {
        with_heads(64, 4, 2)
    }

    fn with_heads(d_model: usize, n_heads: usize, n_kv_heads: usize) -> ModelConfig {
        ModelConfig {
            vocab_size: 100,
            d_model,
            n_layers: 2,
            n_heads,
            n_kv_heads,
            d_ff: 96,
            max_seq_len: 32,
            rope_theta: default_rope_theta(),
            norm_eps: default_norm_eps(),
            architecture: Architecture::LLAMA,
            tie_embeddings: true,
            init_std: default_init_std(),
        }
    }

    #[test]
    fn errors_name_the_values_and_the_way_out() {
        // With RUST_BACKTRACE set, candle's errors print more lines below the message.
        let message =
            |config: ModelConfig| config.validate().unwrap_err().to_string().lines().next().unwrap().to_string();
        assert!(config().validate().is_ok());
        assert_eq!(message(with_heads(64, 6, 2)), "n_heads 6 does not divide d_model 64; choose 4 or 8");
        assert_eq!(message(with_heads(64, 4, 3)), "n_kv_heads 3 does not divide n_heads 4; choose 2 or 4");
        assert!(message(with_heads(12, 4, 2)).contains("even head_dim"));
        assert_eq!(message(ModelConfig { n_layers: 0, ..config() }), "n_layers is 0; it must be at least 1");
        assert_eq!(message(ModelConfig { init_std: f64::NAN, ..config() }), "init_std NaN must be a positive number");
    }
}
