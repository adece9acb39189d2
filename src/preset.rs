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

use crate::compute::ComputeConfig;
use crate::corpus_source::CorpusSource;
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
    #[serde(default)]
    pub corpus: CorpusSource,
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
    /// What it computes on.
    #[serde(default)]
    pub compute: ComputeConfig,
    /// Pretraining.
    pub pretrain: PretrainConfig,
    /// Supervised finetuning.
    pub sft: FinetuneConfig,
    /// Preference optimisation.
    pub dpo: DpoConfig,
}
// ANCHOR_END: run_config

/// The longest that [`RunConfig::minutes`] may be: a year.
const MAX_MINUTES: f64 = 365.0 * 24.0 * 60.0;

/// The embedded presets: name and file.
const PRESETS: [(&str, &str); 6] = [
    ("world", include_str!("presets/world.toml")),
    ("micro", include_str!("presets/micro.toml")),
    ("small", include_str!("presets/small.toml")),
    ("gpu-8gb", include_str!("presets/gpu-8gb.toml")),
    ("gpu-24gb", include_str!("presets/gpu-24gb.toml")),
    ("gpu-80gb", include_str!("presets/gpu-80gb.toml")),
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

    /// Reads settings from TOML, fills them in and checks them.
    ///
    /// # Errors
    /// If a field is unknown, missing or of the wrong type, or the sizes do not fit each other.
    pub fn parse(text: &str) -> Result<Self, WrongRequest> {
        let config: Self = toml::from_str(text).map_err(|error| WrongRequest::new(error.to_string()))?;
        if ![0, config.seed].contains(&config.world.seed) {
            let message = format!(
                "world.seed {} differs from seed {}, which decides the world too; leave world.seed out",
                config.world.seed, config.seed
            );
            return Err(WrongRequest::new(message));
        }
        config.filled_in()
    }

    /// The settings with what follows from others, checked: the world has the run's seed, and documentation has its own pipeline unless
    /// the settings hold another.
    ///
    /// # Errors
    /// As [`RunConfig::validate`].
    pub fn filled_in(mut self) -> Result<Self, WrongRequest> {
        self.world.seed = self.seed;
        if self.corpus == CorpusSource::RustDocs && self.pipeline == PipelineConfig::default() {
            self.pipeline = PipelineConfig::documentation();
        }
        self.validate()?;
        Ok(self)
    }

    /// Whether a run that was asked for with `asked` may have these settings by now. A run changes two things itself: it takes a smaller
    /// vocabulary if the text has no more pairs to merge, and fits the steps to its minutes.
    pub fn may_come_from(&self, asked: &Self) -> bool {
        let mut asked = asked.clone();
        if asked.tokenizer.vocab_size > self.tokenizer.vocab_size {
            asked.tokenizer.vocab_size = self.tokenizer.vocab_size;
            asked.model.vocab_size = self.model.vocab_size;
        }
        if self.minutes.is_some() {
            let fitted = [&self.pretrain.train, &self.sft.train, &self.dpo.train];
            let trainings = [&mut asked.pretrain.train, &mut asked.sft.train, &mut asked.dpo.train];
            for (training, fitted) in trainings.into_iter().zip(fitted) {
                training.steps = fitted.steps;
                training.schedule.warmup_steps = fitted.schedule.warmup_steps;
            }
        }
        asked == *self
    }

    /// The settings as TOML.
    ///
    /// # Errors
    /// Never in practice; serialisation is fallible.
    pub fn to_toml(&self) -> Result<String> {
        Ok(toml::to_string_pretty(self)?)
    }

    /// Checks every part, and that the parts fit each other.
    ///
    /// # Errors
    /// Names the first setting that cannot be.
    pub fn validate(&self) -> Result<(), WrongRequest> {
        self.check_parts().and_then(|()| self.check_fit()).map_err(|error| WrongRequest::new(format!("{error:#}")))
    }

    fn check_parts(&self) -> Result<()> {
        self.world.validate().context("[world]")?;
        self.compute.validate().context("[compute]")?;
        self.pipeline.validate().context("[pipeline]")?;
        self.tokenizer.validate().context("[tokenizer]")?;
        self.model.validate().context("[model]")?;
        self.pretrain.validate().context("[pretrain]")?;
        self.sft.validate().context("[sft]")?;
        self.dpo.validate().context("[dpo]")
    }

    fn check_fit(&self) -> Result<()> {
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
        if let Some(minutes) = self.minutes
            && !(minutes > 0.0 && minutes <= MAX_MINUTES)
        {
            anyhow::bail!("minutes {minutes} must be above 0 and at most {MAX_MINUTES}, a year");
        }
        Ok(())
    }
}

/// Whether a preset is for text of one's own, much of it: the synthetic world would teach such a model nothing more.
pub fn wants_own_corpus(name: &str) -> bool {
    name.starts_with("gpu-")
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
        assert_eq!(
            message,
            "there is no preset wrold; did you mean world? There are: world, micro, small, gpu-8gb, gpu-24gb, gpu-80gb"
        );
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

    #[test]
    fn wrong_settings_of_every_part_are_found_before_the_run() {
        let message = |change: fn(&mut RunConfig)| {
            let mut config = RunConfig::preset("micro").unwrap();
            change(&mut config);
            config.validate().unwrap_err().to_string()
        };
        assert!(message(|config| config.world.n_towns = 1).starts_with("[world]"));
        assert!(message(|config| config.pipeline.minhash.bands = 0).starts_with("[pipeline]"));
        assert!(message(|config| config.tokenizer.vocab_size = 10).starts_with("[tokenizer]"));
        assert!(message(|config| config.model.d_ff = 0).starts_with("[model]"));
        assert!(message(|config| config.pretrain.batch_size = 0).starts_with("[pretrain]"));
        assert!(message(|config| config.sft.batch_size = 0).starts_with("[sft]"));
        assert!(message(|config| config.dpo.beta = -1.0).starts_with("[dpo]"));
    }

    #[test]
    fn what_follows_from_other_settings_is_filled_in() {
        let micro = RunConfig::preset("micro").unwrap();
        let filled = |change: fn(&mut RunConfig)| {
            let mut config = micro.clone();
            change(&mut config);
            config.filled_in().unwrap()
        };
        assert_eq!(filled(|config| config.seed = 3).world.seed, 3);
        assert_eq!(filled(|config| config.corpus = CorpusSource::RustDocs).pipeline, PipelineConfig::documentation());
        let own = filled(|config| {
            config.corpus = CorpusSource::RustDocs;
            config.pipeline.quality.min_words = 7;
        });
        assert_eq!(own.pipeline.quality.min_words, 7, "a pipeline of one's own stays");
        let text = include_str!("presets/micro.toml").replacen("[world]", "[world]\nseed = 7", 1);
        let message = RunConfig::parse(&text).unwrap_err().to_string();
        assert!(message.contains("world.seed 7 differs from seed 0"), "{message}");
    }

    #[test]
    fn minutes_are_a_number_that_can_be_waited_for() {
        let minutes = |minutes| RunConfig { minutes: Some(minutes), ..RunConfig::preset("micro").unwrap() }.validate();
        assert!(minutes(0.5).is_ok());
        for wrong in [0.0, -3.0, f64::NAN, f64::INFINITY, 1e300] {
            assert!(minutes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_run_s_own_changes_are_not_other_settings() {
        let asked = RunConfig { minutes: Some(1.0), ..RunConfig::preset("micro").unwrap() };
        let mut found = asked.clone();
        (found.tokenizer.vocab_size, found.model.vocab_size) = (390, 390);
        found.sft.train.steps = 9;
        assert!(found.may_come_from(&asked));
        assert!(!asked.may_come_from(&found), "a vocabulary does not grow");
        assert!(!RunConfig { minutes: None, ..found.clone() }.may_come_from(&RunConfig { minutes: None, ..asked }));
        assert!(!found.may_come_from(&RunConfig::preset("world").unwrap()));
    }
}
