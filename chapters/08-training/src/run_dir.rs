//! A run's folder: `metrics.jsonl` and `checkpoints/`.
//!
//! One line of JSON for each step, flushed as it is written: a killed run keeps what it measured, and any tool can plot it. A run that
//! is resumed from step N first drops the lines after N, so that the file reads as if nothing had happened.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use candle_core::{Error, Result};
use serde::{Deserialize, Serialize};

// ANCHOR: metrics
/// What is known after one step. Values that a step has not are absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Number of steps taken, this one included.
    pub step: usize,
    /// Mean loss over the step's targets, in nats.
    pub loss: f64,
    /// Global gradient norm before clipping.
    pub grad_norm: f64,
    /// Learning rate.
    pub lr: f64,
    /// Tokens through the model since the run began.
    pub n_tokens: usize,
    /// Seconds of training since the run (or its resumed part) began. Not reproducible, unlike all else.
    pub elapsed_s: f64,
    /// Tokens per second of this step. Not reproducible.
    pub tokens_per_s: f64,
    /// Mean validation loss and other values of the task, where they were computed.
    #[serde(flatten)]
    pub extras: BTreeMap<String, f64>,
}
// ANCHOR_END: metrics

/// A folder that a run writes to.
#[derive(Debug, Clone)]
pub struct RunDir {
    folder: PathBuf,
}

impl RunDir {
    /// Creates the folder if need be.
    ///
    /// # Errors
    /// If it cannot be written; the message names it.
    pub fn create(folder: &Path) -> Result<Self> {
        let run = Self { folder: folder.to_path_buf() };
        fs::create_dir_all(run.checkpoints()).map_err(|error| at(&run.folder, "cannot create", error))?;
        Ok(run)
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where checkpoints are kept.
    pub fn checkpoints(&self) -> PathBuf {
        self.folder.join("checkpoints")
    }

    /// The log of steps.
    pub fn metrics_file(&self) -> PathBuf {
        self.folder.join("metrics.jsonl")
    }

    /// Appends one line to `metrics.jsonl`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn append(&self, metrics: &Metrics) -> Result<()> {
        let path = self.metrics_file();
        let mut line = serde_json::to_string(metrics).map_err(Error::wrap)?;
        line.push('\n');
        let file = OpenOptions::new().create(true).append(true).open(&path);
        file.and_then(|mut file| file.write_all(line.as_bytes())).map_err(|error| at(&path, "cannot write", error))
    }

    /// Keeps the lines up to step `last_step` and drops the rest, a half-written last line included.
    ///
    /// # Errors
    /// If the file cannot be read or replaced.
    pub fn truncate_metrics(&self, last_step: usize) -> Result<()> {
        let kept: Vec<Metrics> = self.metrics()?.into_iter().filter(|metrics| metrics.step <= last_step).collect();
        let path = self.metrics_file();
        transformer::checkpoint::replace_file(&path, |temporary| {
            let mut file = File::create(temporary).map_err(Error::wrap)?;
            for metrics in &kept {
                writeln!(file, "{}", serde_json::to_string(metrics).map_err(Error::wrap)?).map_err(Error::wrap)?;
            }
            Ok(())
        })
    }

    /// All complete lines of `metrics.jsonl`; empty if there is none yet.
    ///
    /// # Errors
    /// If the file exists and cannot be read.
    pub fn metrics(&self) -> Result<Vec<Metrics>> {
        let path = self.metrics_file();
        if !path.exists() {
            return Ok(Vec::new());
        }
        let file = File::open(&path).map_err(|error| at(&path, "cannot read", error))?;
        let lines = BufReader::new(file).lines().map_while(std::result::Result::ok);
        Ok(lines.filter_map(|line| serde_json::from_str(&line).ok()).collect())
    }
}

/// An error that starts with what failed at which path.
pub(crate) fn at(path: &Path, what: &str, error: impl std::fmt::Display) -> Error {
    Error::msg(format!("{what} {}: {error}", path.display()))
}
