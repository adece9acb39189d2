//! What a mixture has become, beside what was asked for.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Draw, MixtureConfig, Plan};

/// What was written of a source in a stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// Documents, repetitions counted.
    pub n_documents: u64,
    /// Bytes of their text.
    pub n_bytes: u64,
}

/// A plan and how far the documents could follow it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mixed {
    /// Bytes by stage and source as planned.
    pub plan: Plan,
    /// For each stage what was written of each source.
    pub reached: Vec<Vec<Reached>>,
    /// Documents of each source that are not held out.
    pub source_documents: Vec<usize>,
    /// Documents in `train/`, repetitions counted.
    pub n_training: u64,
    /// Bytes of their text.
    pub training_bytes: u64,
    /// Documents in `held_out/`.
    pub n_held_out: usize,
    /// Lines of the sources that could not be read.
    pub n_unreadable: usize,
    /// What was asked for.
    pub settings: MixtureConfig,
}

impl Mixed {
    /// A plan of which nothing is written.
    pub fn planned(plan: Plan, settings: MixtureConfig) -> Self {
        let reached = vec![vec![Reached::default(); plan.sources.len()]; plan.stages.len()];
        let source_documents = vec![0; plan.sources.len()];
        Self {
            plan,
            reached,
            source_documents,
            n_training: 0,
            training_bytes: 0,
            n_held_out: 0,
            n_unreadable: 0,
            settings,
        }
    }

    /// Notes a document.
    pub(super) fn add(&mut self, draw: Draw, n_bytes: u64) {
        let reached = &mut self.reached[draw.stage][draw.source];
        reached.n_documents += 1;
        reached.n_bytes += n_bytes;
        self.n_training += 1;
        self.training_bytes += n_bytes;
    }

    /// How often a source was read in all.
    pub fn epochs_of(&self, source: usize) -> f64 {
        let n_bytes: u64 = self.reached.iter().map(|stage| stage[source].n_bytes).sum();
        n_bytes as f64 / self.plan.source_bytes[source].max(1) as f64
    }
}

/// For people: a table a stage, with the share that the weights ask for, the planned one (less where a source is used up) and
/// the reached one (less than a document beside it), then how often each source was read.
impl fmt::Display for Mixed {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let percent = |part: u64, whole: u64| 100.0 * part as f64 / whole.max(1) as f64;
        for (stage, (planned, reached)) in self.plan.stages.iter().zip(&self.reached).enumerate() {
            let name = format!("stage {stage}");
            writeln!(
                f,
                "{name:<20} {:>8} {:>8} {:>8} {:>10} {:>10}",
                "asked", "planned", "reached", "MB", "documents"
            )?;
            let planned_bytes = planned.iter().map(|portion| portion.n_bytes).sum();
            let reached_bytes = reached.iter().map(|reached| reached.n_bytes).sum();
            for ((source, planned), reached) in self.plan.sources.iter().zip(planned).zip(reached) {
                writeln!(
                    f,
                    "{source:<20} {:>7.1}% {:>7.1}% {:>7.1}% {:>10.1} {:>10}",
                    100.0 * planned.wanted_share,
                    percent(planned.n_bytes, planned_bytes),
                    percent(reached.n_bytes, reached_bytes),
                    reached.n_bytes as f64 / 1e6,
                    reached.n_documents
                )?;
            }
            writeln!(f)?;
        }
        for (i, (source, n_bytes)) in self.plan.sources.iter().zip(&self.plan.source_bytes).enumerate() {
            let (epochs, limit) = (self.epochs_of(i), self.settings.sources.get(i).map_or(0.0, |s| s.max_epochs));
            writeln!(f, "{source:<20} {:.1} MB, read {epochs:.2} times (at most {limit})", *n_bytes as f64 / 1e6)?;
        }
        let megabytes = self.training_bytes as f64 / 1e6;
        write!(f, "\n{} documents ({megabytes:.1} MB) for training, {} held out", self.n_training, self.n_held_out)?;
        if self.n_unreadable > 0 {
            write!(f, "; {} lines could not be read", self.n_unreadable)?;
        }
        Ok(())
    }
}
