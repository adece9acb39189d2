//! How much of which source, and when: a plan in bytes before anything is read.
//!
//! A corpus has sources of very different sizes and worth. Three questions decide a mixture. *How much of each?* By
//! weights, or by size with a temperature $T$ (as in multilingual models, arXiv:1911.02116, section 3.1):
//!
//! $$p_i \propto w_i \, n_i^{1/T}$$
//!
//! $T = 1$ takes each source by its size; the larger $T$, the more alike their shares. *How often may a text be
//! repeated?* Up to four times costs hardly anything, and sixteen times is hardly worth it (Muennighoff et al.,
//! arXiv:2305.16264); a source at its limit leaves its bytes to the others. *When?* In stages with weights of their
//! own: the best text last, as the learning rate falls (MiniCPM, arXiv:2404.06395, section 4).
//!
//! Stages are planned in order, and a source that an early stage used up has none left for a later one.
//! The order of the documents that follows from a plan is in [`Order`], and [`Mixing`] writes them in it.

mod config;
mod error;
mod mixed;
mod order;
mod sources;
mod write;

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use self::config::{MixtureConfig, MixtureStage, SourceConfig};
pub use self::error::MixError;
pub use self::mixed::{Mixed, Reached};
pub use self::order::{Draw, Order, Position};
pub use self::write::{MIXTURE_RECORD, MixProgress, Mixing};
use crate::setting::InvalidSetting;

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum MixtureError {
    /// A setting outside its range.
    #[error(transparent)]
    Setting(#[from] InvalidSetting),
    /// The sources are too small.
    #[error(
        "stage {stage} wants {wanted} bytes and its sources have {left} left; lower mixture.total_bytes, raise max_epochs, or add text"
    )]
    TooLittle {
        /// The stage, counted from 0.
        stage: usize,
        /// Bytes that it should have.
        wanted: u64,
        /// Bytes that its sources can still give.
        left: u64,
    },
    /// The sizes are not those of the settings' sources.
    #[error("{n_sizes} sizes were given for {n_sources} sources; give one a source, in order")]
    Sizes {
        /// Sizes given.
        n_sizes: usize,
        /// Sources in the settings.
        n_sources: usize,
    },
}

/// What a stage takes of a source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Portion {
    /// Bytes of text.
    pub n_bytes: u64,
    /// The share that the weights alone would give, before limits.
    pub wanted_share: f64,
}

/// Bytes by stage and source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The sources' names.
    pub sources: Vec<String>,
    /// The sources' sizes in bytes.
    pub source_bytes: Vec<u64>,
    /// For each stage a portion a source.
    pub stages: Vec<Vec<Portion>>,
    /// Decides the order within the sources.
    pub seed: u64,
}

impl Plan {
    /// Bytes of source `i` in all stages.
    pub fn bytes_of(&self, i: usize) -> u64 {
        self.stages.iter().map(|stage| stage[i].n_bytes).sum()
    }

    /// How often source `i` is read in all.
    pub fn epochs_of(&self, i: usize) -> f64 {
        self.bytes_of(i) as f64 / self.source_bytes[i].max(1) as f64
    }
}

// ANCHOR: plan
/// Plans a mixture of sources with these sizes in bytes.
///
/// # Errors
/// A setting outside its range, or sources too small for what is asked of them.
pub fn plan(config: &MixtureConfig, source_bytes: &[u64]) -> Result<Plan, MixtureError> {
    config.validate()?;
    let n_sources = config.sources.len();
    if source_bytes.len() != n_sources {
        return Err(MixtureError::Sizes { n_sizes: source_bytes.len(), n_sources });
    }
    let limit = |(source, &n): (&SourceConfig, &u64)| (source.max_epochs * n as f64) as u64;
    let mut left: Vec<u64> = config.sources.iter().zip(source_bytes).map(limit).collect();
    let total_share: f64 = config.stages().iter().map(|stage| stage.share).sum();
    let (mut stages, mut share_so_far, mut bytes_so_far) = (Vec::new(), 0.0, 0);
    for (i, stage) in config.stages().iter().enumerate() {
        // Borders are rounded, not sizes, so that the stages add up to the whole.
        share_so_far += stage.share;
        let border = (config.total_bytes as f64 * (share_so_far / total_share)).round() as u64;
        let wanted = border - bytes_so_far;
        bytes_so_far = border;
        let shares = config.shares(stage, source_bytes);
        let available: u64 = left.iter().zip(&shares).filter(|(_, share)| **share > 0.0).map(|(left, _)| left).sum();
        if available < wanted {
            return Err(MixtureError::TooLittle { stage: i, wanted, left: available });
        }
        let bytes = fill(wanted, &shares, &left);
        left.iter_mut().zip(&bytes).for_each(|(left, n_bytes)| *left -= n_bytes);
        let portions = bytes.into_iter().zip(shares).map(|(n_bytes, wanted_share)| Portion { n_bytes, wanted_share });
        stages.push(portions.collect());
    }
    let sources = config.sources.iter().map(|source| source.name.clone()).collect();
    Ok(Plan { sources, source_bytes: source_bytes.to_vec(), stages, seed: config.seed })
}

/// Divides `total` by `shares`, none above its limit: what a full source cannot take goes to the others by their shares.
fn fill(total: u64, shares: &[f64], limits: &[u64]) -> Vec<u64> {
    let mut bytes = vec![0u64; shares.len()];
    let mut open: Vec<usize> = (0..shares.len()).filter(|&i| shares[i] > 0.0 && limits[i] > 0).collect();
    let mut rest = total;
    loop {
        let sum: f64 = open.iter().map(|&i| shares[i]).sum();
        let due = |i: usize| rest as f64 * shares[i] / sum;
        let full: Vec<usize> = open.iter().copied().filter(|&i| due(i) >= limits[i] as f64).collect();
        if full.is_empty() {
            open.iter().for_each(|&i| bytes[i] = due(i) as u64);
            break;
        }
        for &i in &full {
            bytes[i] = limits[i].min(rest);
            rest -= bytes[i];
        }
        open.retain(|i| !full.contains(i));
    }
    // Rounding down left a few bytes; they go wherever there is room.
    let mut over = total - bytes.iter().sum::<u64>();
    for i in (0..shares.len()).filter(|&i| shares[i] > 0.0) {
        let more = over.min(limits[i] - bytes[i]);
        bytes[i] += more;
        over -= more;
    }
    bytes
}
// ANCHOR_END: plan

/// A table for people: a row a source, a column a stage.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:<20} {:>10} {:>10} {:>8}", "source", "MB", "MB planned", "epochs")?;
        for i in 0..self.stages.len() {
            write!(f, " {:>9}", format!("stage {i}"))?;
        }
        writeln!(f)?;
        let stage_bytes: Vec<u64> = self.stages.iter().map(|stage| stage.iter().map(|p| p.n_bytes).sum()).collect();
        for (i, name) in self.sources.iter().enumerate() {
            let [megabytes, planned] = [self.source_bytes[i], self.bytes_of(i)].map(|n| n as f64 / 1e6);
            write!(f, "{name:<20} {megabytes:>10.1} {planned:>10.1} {:>8.2}", self.epochs_of(i))?;
            for (stage, total) in self.stages.iter().zip(&stage_bytes) {
                write!(f, " {:>8.1}%", 100.0 * stage[i].n_bytes as f64 / (*total).max(1) as f64)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
