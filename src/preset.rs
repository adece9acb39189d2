//! A whole run as one file of settings: data, tokenizer, model, training, post-training.
//!
//! Presets are such files, embedded in the program. A run writes the settings that it really used to `run.toml`, so that a run folder says
//! how to make it again.

use anyhow::{Context, Result};
use corpus::{PipelineConfig, WorldConfig};
use finetuning::FinetuneConfig;
use preferences::DpoConfig;
use pretraining::PretrainConfig;
use serde::{Deserialize, Serialize};
use tokenizer::TrainConfig as TokenizerConfig;
use transformer::ModelConfig;

use crate::request::WrongRequest;

/// The settings of a run.
// ANCHOR: run_config
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// Decides everything that is random.
    #[serde(default)]
    pub seed: u64,
    /// `world`, `rust-docs`, or a path.
    #[serde(default = "default_corpus")]
    pub corpus: String,
    /// If set, training steps are fitted to this time on the machine at hand, and `steps` below is what came out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<f64>,
    /// The synthetic world, if the corpus is that.
    #[serde(default)]
    pub world: WorldConfig,
    /// How raw pages become clean text.
    #[serde(default)]
    pub pipeline: PipelineConfig,
    /// The vocabulary.
    pub tokenizer: TokenizerConfig,
    /// The model.
    pub model: ModelConfig,
    /// Pretraining.
    pub pretrain: PretrainConfig,
    /// Supervised finetuning.
    pub sft: FinetuneConfig,
    /// Preference optimisation.
    pub dpo: DpoConfig,
}
// ANCHOR_END: run_config

fn default_corpus() -> String {
    WORLD.to_string()
}

/// The name of the synthetic world as a corpus.
pub const WORLD: &str = "world";
/// The name of the documentation that rustup installs as a corpus.
pub const RUST_DOCS: &str = "rust-docs";

/// The embedded presets: name and file.
const PRESETS: [(&str, &str); 3] = [
    ("world", include_str!("presets/world.toml")),
    ("micro", include_str!("presets/micro.toml")),
    ("small", include_str!("presets/small.toml")),
];

impl RunConfig {
    /// The embedded preset of that name.
    ///
    /// # Errors
    /// If there is none; the message suggests the nearest.
    pub fn preset(name: &str) -> Result<Self> {
        let Some((_, text)) = PRESETS.iter().find(|(preset, _)| *preset == name) else {
            let known = PRESETS.map(|(preset, _)| preset);
            return Err(WrongRequest::unknown("preset", name, &known).into());
        };
        Self::parse(text).with_context(|| format!("preset {name}"))
    }

    /// Reads settings from TOML and checks them.
    ///
    /// # Errors
    /// If a field is unknown, missing or of the wrong type, or the sizes do not fit each other.
    pub fn parse(text: &str) -> Result<Self> {
        let config: Self = toml::from_str(text).map_err(|error| WrongRequest::new(error.to_string()))?;
        config.validate().map_err(|error| WrongRequest::new(format!("{error:#}")))?;
        Ok(config)
    }

    /// The settings as TOML.
    ///
    /// # Errors
    /// Never in practice; serialisation is fallible.
    pub fn to_toml(&self) -> Result<String> {
        Ok(toml::to_string_pretty(self)?)
    }

    /// Checks every part, and that the parts fit each other.
    fn validate(&self) -> Result<()> {
        self.world.validate().context("[world]")?;
        self.pipeline.validate().context("[pipeline]")?;
        self.tokenizer.validate().context("[tokenizer]")?;
        self.model.validate().context("[model]")?;
        self.pretrain.train.validate().context("[pretrain.train]")?;
        self.sft.train.validate().context("[sft.train]")?;
        self.dpo.train.validate().context("[dpo.train]")?;
        if self.model.vocab_size != self.tokenizer.vocab_size {
            anyhow::bail!(
                "model.vocab_size {} and tokenizer.vocab_size {} must be the same",
                self.model.vocab_size,
                self.tokenizer.vocab_size
            );
        }
        if self.pretrain.seq_len > self.model.max_seq_len {
            anyhow::bail!(
                "pretrain.seq_len {} exceeds model.max_seq_len {}",
                self.pretrain.seq_len,
                self.model.max_seq_len
            );
        }
        if self.minutes.is_some_and(|minutes| minutes.is_nan() || minutes <= 0.0) {
            anyhow::bail!("minutes {:?} must be a positive number", self.minutes);
        }
        Ok(())
    }
}

/// The names of the presets.
pub fn preset_names() -> Vec<&'static str> {
    PRESETS.iter().map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_valid_and_survives_a_round_trip() {
        for name in preset_names() {
            let config = RunConfig::preset(name).unwrap();
            assert_eq!(RunConfig::parse(&config.to_toml().unwrap()).unwrap(), config, "{name}");
        }
    }

    #[test]
    fn an_unknown_preset_suggests_the_nearest() {
        let message = RunConfig::preset("wrold").unwrap_err().to_string();
        assert_eq!(message, "there is no preset wrold; did you mean world? There are: world, micro, small");
    }

    #[test]
    fn sizes_that_do_not_fit_are_named() {
        let text = include_str!("presets/micro.toml");
        let message = |from: &str, to: &str| RunConfig::parse(&text.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(message("n_heads = 4", "n_heads = 5").contains("n_heads 5 does not divide d_model 48; choose 4 or 6"));
        assert!(
            message("vocab_size = 400", "vocab_size = 500")
                .contains("model.vocab_size 400 and tokenizer.vocab_size 500")
        );
        assert!(message("seq_len = 64", "seq_len = 640").contains("pretrain.seq_len 640 exceeds model.max_seq_len 96"));
        assert!(message("n_heads", "n_haeds").contains("n_haeds"));
    }
}
