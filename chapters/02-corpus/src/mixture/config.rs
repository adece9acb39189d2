//! The settings of a mixture.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::setting::{InvalidSetting, holds, share};
use crate::split::HELD_OUT_SHARE;

/// Repetitions up to which repeated text is nearly as good as new text (arXiv:2305.16264, section 6).
const DEFAULT_MAX_EPOCHS: f64 = 4.0;

// ANCHOR: mixture_config
/// A mixture of sources.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MixtureConfig {
    /// Bytes of text in all.
    pub total_bytes: u64,
    /// If given, a source's share is its weight times its size to the power `1 / temperature`; if not, its weight alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Decides the order of the documents.
    pub seed: u64,
    /// Share of the documents put aside to measure on, of sources that have put none aside.
    pub held_out_share: f64,
    /// A file of the mixture ends when it has so many bytes of text.
    pub part_bytes: u64,
    /// What is mixed.
    pub sources: Vec<SourceConfig>,
    /// The curriculum; one stage with the sources' weights if there is none.
    pub stages: Vec<MixtureStage>,
}

/// A source of a mixture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SourceConfig {
    /// A name of its own.
    pub name: String,
    /// Where its documents are.
    pub path: PathBuf,
    /// Its weight, in whatever unit the others have.
    pub weight: f64,
    /// How often it may be read at most, in all stages together.
    pub max_epochs: f64,
}

/// A stage of the curriculum.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MixtureStage {
    /// Its share of the whole, in whatever unit the other stages have.
    pub share: f64,
    /// Weights of sources by name; sources without one have no part in the stage. The sources' own if empty.
    pub weights: BTreeMap<String, f64>,
}
// ANCHOR_END: mixture_config

impl Default for MixtureConfig {
    fn default() -> Self {
        Self {
            total_bytes: 0,
            temperature: None,
            seed: 0,
            held_out_share: HELD_OUT_SHARE,
            part_bytes: 256 << 20,
            sources: Vec::new(),
            stages: Vec::new(),
        }
    }
}

impl Default for SourceConfig {
    fn default() -> Self {
        Self { name: String::new(), path: PathBuf::new(), weight: 1.0, max_epochs: DEFAULT_MAX_EPOCHS }
    }
}

impl MixtureConfig {
    /// Checks the ranges and the names.
    ///
    /// # Errors
    /// The first setting outside its range.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        let is_weight = |weight: f64| weight.is_finite() && weight >= 0.0;
        holds(!self.sources.is_empty(), "mixture.sources", "empty", "name at least one source")?;
        let temperature = self.temperature.unwrap_or(1.0);
        let rule = "choose a number above 0: 1 for shares by size, more for more equal shares";
        holds(temperature > 0.0, "mixture.temperature", temperature, rule)?;
        share("mixture.held_out_share", self.held_out_share)?;
        holds(self.part_bytes > 0, "mixture.part_bytes", self.part_bytes, "choose 1 or more")?;
        let mut names = BTreeSet::new();
        for source in &self.sources {
            let is_new = !source.name.is_empty() && names.insert(source.name.as_str());
            let rule = "give every source a name of its own";
            holds(is_new, "mixture.sources.name", format!("{:?}", source.name), rule)?;
            holds(is_weight(source.weight), "mixture.sources.weight", source.weight, "choose a number of 0 or more")?;
            let is_limit = source.max_epochs > 0.0 && source.max_epochs.is_finite();
            holds(is_limit, "mixture.sources.max_epochs", source.max_epochs, "choose a number above 0, such as 4")?;
        }
        for stage in &self.stages {
            let is_share = stage.share > 0.0 && stage.share.is_finite();
            holds(is_share, "mixture.stages.share", stage.share, "choose a number above 0")?;
            for (name, &weight) in &stage.weights {
                let is_known = names.contains(name.as_str());
                holds(is_known, "mixture.stages.weights", name, "name a source of mixture.sources")?;
                holds(is_weight(weight), "mixture.stages.weights", weight, "choose numbers of 0 or more")?;
            }
        }
        self.each_stage_has_a_weight()
    }

    fn each_stage_has_a_weight(&self) -> Result<(), InvalidSetting> {
        let rule = "give at least one source a weight above 0";
        for stage in self.stages() {
            if stage.weights.is_empty() {
                let has_weight = self.sources.iter().any(|source| source.weight > 0.0);
                holds(has_weight, "mixture.sources.weight", "0 for all sources", rule)?;
            } else {
                let has_weight = stage.weights.values().any(|&weight| weight > 0.0);
                holds(has_weight, "mixture.stages.weights", "0 for all sources of a stage", rule)?;
            }
        }
        Ok(())
    }

    /// The stages, at least one.
    pub(super) fn stages(&self) -> Vec<MixtureStage> {
        let whole = MixtureStage { share: 1.0, ..MixtureStage::default() };
        if self.stages.is_empty() { vec![whole] } else { self.stages.clone() }
    }

    // ANCHOR: shares
    /// Each source's share of a stage before limits; an empty source has none.
    pub(super) fn shares(&self, stage: &MixtureStage, source_bytes: &[u64]) -> Vec<f64> {
        let weight = |source: &SourceConfig| match stage.weights.is_empty() {
            true => source.weight,
            false => stage.weights.get(&source.name).copied().unwrap_or(0.0),
        };
        let sizes = source_bytes.iter().map(|&n| match (n, self.temperature) {
            (0, _) => 0.0,
            (_, None) => 1.0,
            (n, Some(temperature)) => (n as f64).powf(1.0 / temperature),
        });
        let parts: Vec<f64> = self.sources.iter().zip(sizes).map(|(source, size)| weight(source) * size).collect();
        let sum: f64 = parts.iter().sum();
        parts.into_iter().map(|part| if sum > 0.0 { part / sum } else { 0.0 }).collect()
    }
    // ANCHOR_END: shares
}
