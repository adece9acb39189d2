//! A training run that another program can repeat exactly: from one checkpoint, on a list of batches, with all settings said. What comes out is the loss,
//! the gradient norm and the learning rate of every step. `tests/reference/training_trace.py` is the same run in PyTorch.
//!
//! The file of batches is one JSON object:
//! `{"train": {"steps": 20, "schedule": {...}, "optimizer": {...}, "clip_norm": 1.0}, "batches": [[[ids], ...], ...]}`.
//! Each batch is a list of rows of equal length; a row of $n + 1$ ids makes $n$ inputs and, one further, their targets. When the batches are used
//! up, the first follows again.

use std::path::Path;

use anyhow::{Context, Result};
use batches::Batch;
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use training::{MicroLoss, Task, TrainConfig, next_token_loss};
use transformer::Transformer;

use crate::compute::ComputeConfig;
use crate::request::WrongRequest;

/// What is to be repeated.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceJob {
    /// The optimiser's run.
    pub train: TrainConfig,
    /// Batches of rows of token ids.
    pub batches: Vec<Vec<Vec<u32>>>,
}

/// One optimiser step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TraceStep {
    /// From 1.
    pub step: usize,
    /// Mean loss before the step, in nats.
    pub loss: f64,
    /// Global gradient norm before clipping.
    pub grad_norm: f64,
    /// Learning rate.
    pub lr: f64,
}

impl TraceJob {
    /// Reads a file of batches.
    ///
    /// # Errors
    /// If it is missing, is no such file, or a batch is empty or has rows of several lengths.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let job: Self = serde_json::from_str(&text).with_context(|| format!("cannot understand {}", path.display()))?;
        let wrong = |message: String| WrongRequest::new(format!("{}: {message}", path.display()));
        job.train.validate().map_err(|error| wrong(error.to_string()))?;
        if job.batches.is_empty() {
            return Err(wrong("there is no batch; give at least one".to_string()).into());
        }
        for (number, rows) in job.batches.iter().enumerate() {
            let len = rows.first().map_or(0, Vec::len);
            if len < 2 || rows.iter().any(|row| row.len() != len) {
                let lengths: Vec<usize> = rows.iter().map(Vec::len).collect();
                let message =
                    format!("batch {number} has rows of {lengths:?} ids; all need the same length, 2 or more");
                return Err(wrong(message).into());
            }
        }
        Ok(job)
    }

    /// Trains `model` and returns every step.
    ///
    /// # Errors
    /// If a batch does not fit the model, or training fails.
    pub fn run(&self, model: &Transformer, compute: ComputeConfig) -> Result<Vec<TraceStep>> {
        let model = compute.place(model)?;
        let batches = self.batches.iter().map(|rows| batch(rows, model.device())).collect::<Result<Vec<_>>>()?;
        let mut task = Repeated { model: &model, batches, next: 0 };
        let mut trainer = compute.trainer(&model, self.train.clone())?;
        (0..self.train.steps)
            .map(|_| {
                let metrics = trainer.train_step(&mut task)?;
                Ok(TraceStep { step: metrics.step, loss: metrics.loss, grad_norm: metrics.grad_norm, lr: metrics.lr })
            })
            .collect()
    }
}

fn batch(rows: &[Vec<u32>], device: &Device) -> Result<Batch> {
    let (n_rows, len) = (rows.len(), rows[0].len());
    let ids = Tensor::from_vec(rows.concat(), (n_rows, len), device)?;
    let (inputs, targets) = (ids.narrow(1, 0, len - 1)?.contiguous()?, ids.narrow(1, 1, len - 1)?.contiguous()?);
    Ok(Batch { inputs, targets, mask: None })
}

/// Given batches, again and again.
struct Repeated<'a> {
    model: &'a Transformer,
    batches: Vec<Batch>,
    next: usize,
}

impl Task for Repeated<'_> {
    type Batch = Batch;

    fn next_batch(&mut self) -> candle_core::Result<Batch> {
        let batch = self.batches[self.next % self.batches.len()].clone();
        self.next += 1;
        Ok(batch)
    }

    fn loss(&self, batch: &Batch) -> candle_core::Result<MicroLoss> {
        next_token_loss(self.model, batch)
    }

    fn forward(&self, model: &Transformer, batch: &Batch) -> candle_core::Result<()> {
        next_token_loss(model, batch).map(|_| ())
    }

    fn validate(&mut self) -> candle_core::Result<Vec<(String, f64)>> {
        Ok(Vec::new())
    }

    fn state(&self) -> serde_json::Value {
        self.next.into()
    }

    fn restore(&mut self, state: &serde_json::Value) -> candle_core::Result<()> {
        self.next = state.as_u64().unwrap_or_default() as usize;
        Ok(())
    }
}
