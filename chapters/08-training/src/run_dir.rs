//! A run's folder: `metrics.jsonl` and `checkpoints/`.
//!
//! One line of JSON for each step, flushed as it is written: a killed run keeps what it measured, and any tool can plot it. A run that
//! is resumed from step N first drops the lines after N, so that the file reads as if nothing had happened.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use candle_core::{Error, Result, bail};
use serde::{Deserialize, Serialize};
use transformer::checkpoint::{at, replace_file};

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
    /// Floating-point operations per second that the model needs at that speed, where they are counted. Not reproducible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flops_per_s: Option<f64>,
    /// Their share of the device's peak (MFU), where that is known. Not reproducible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfu: Option<f64>,
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
    /// If a value is not finite, since JSON would make it `null`, or the line cannot be written.
    pub fn append(&self, metrics: &Metrics) -> Result<()> {
        let path = self.metrics_file();
        let Metrics { step, loss, grad_norm, lr, extras, .. } = metrics;
        let extras = extras.iter().map(|(name, value)| (name.as_str(), *value));
        let mut values = [("loss", *loss), ("grad_norm", *grad_norm), ("lr", *lr)].into_iter().chain(extras);
        if let Some((name, value)) = values.find(|(_, value)| !value.is_finite()) {
            bail!("{name} is {value} at step {step}: training diverged; lower peak_lr or raise warmup_steps");
        }
        let mut line = serde_json::to_string(metrics).map_err(Error::wrap)?;
        line.push('\n');
        let file = OpenOptions::new().create(true).append(true).open(&path);
        file.and_then(|mut file| file.write_all(line.as_bytes())).map_err(|error| at(&path, "cannot write", error))
    }

    /// Keeps the lines up to step `last_step` and drops the rest, a half-written last line included.
    ///
    /// # Errors
    /// If the file cannot be read or replaced, or another line than the last is damaged; it is then as it was.
    pub fn truncate_metrics(&self, last_step: usize) -> Result<()> {
        let mut kept = Vec::new();
        for (line, metrics) in self.complete_lines()? {
            if metrics.step <= last_step {
                // As it was written: a number that is read and printed again may differ in its last digit.
                kept.extend(line);
                kept.push(b'\n');
            }
        }
        replace_file(&self.metrics_file(), |temporary| fs::write(temporary, &kept).map_err(Error::wrap))
    }

    /// All complete lines of `metrics.jsonl`; empty if there is none yet.
    ///
    /// # Errors
    /// If the file exists and cannot be read, or a line is damaged that is not the last: a kill cuts only that one short.
    pub fn metrics(&self) -> Result<Vec<Metrics>> {
        Ok(self.complete_lines()?.into_iter().map(|(_, metrics)| metrics).collect())
    }

    /// Each complete line with what it says.
    fn complete_lines(&self) -> Result<Vec<(Vec<u8>, Metrics)>> {
        let path = self.metrics_file();
        if !path.exists() {
            return Ok(Vec::new());
        }
        let bytes = fs::read(&path).map_err(|error| at(&path, "cannot read", error))?;
        let lines: Vec<&[u8]> = bytes.strip_suffix(b"\n").unwrap_or(&bytes).split(|byte| *byte == b'\n').collect();
        let mut complete = Vec::with_capacity(lines.len());
        for (number, line) in (1..).zip(&lines) {
            match serde_json::from_slice(line) {
                Ok(metrics) => complete.push((line.to_vec(), metrics)),
                Err(_) if number == lines.len() => {}
                Err(error) => bail!("line {number} of {} is damaged: {error}; repair or remove it", path.display()),
            }
        }
        Ok(complete)
    }
}
