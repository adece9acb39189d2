//! Pretraining as a task: each micro-batch is the next one of the loader, the loss counts every token, and validation reads held-out
//! shards from their start.

use batches::{Batch, BatchError, Loader, LoaderConfig, Sequential, Shards};
use candle_core::{Error, Result, bail};
use serde::{Deserialize, Serialize};
use training::{MicroLoss, Task, TrainConfig, next_token_loss};
use transformer::Transformer;

/// What pretraining needs besides a model and data.
// ANCHOR: config
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PretrainConfig {
    /// Sequences in a micro-batch.
    pub batch_size: usize,
    /// Tokens in a sequence.
    pub seq_len: usize,
    /// Validate on so many batches at most.
    #[serde(default = "default_val_batches")]
    pub val_batches: usize,
    /// The optimiser's run.
    pub train: TrainConfig,
}

fn default_val_batches() -> usize {
    20
}

impl PretrainConfig {
    /// Checks the values.
    ///
    /// # Errors
    /// Names the first value that cannot be.
    pub fn validate(&self) -> Result<()> {
        let Self { batch_size, seq_len, val_batches, train } = self;
        if *batch_size == 0 || *seq_len == 0 || *val_batches == 0 {
            bail!("batch_size {batch_size}, seq_len {seq_len} and val_batches {val_batches} must be at least 1");
        }
        train.validate()
    }

    /// Tokens of one optimiser step.
    pub fn tokens_per_step(&self) -> usize {
        self.batch_size * self.seq_len * self.train.micro_batches
    }
}
// ANCHOR_END: config

/// Next-token prediction on shards.
// ANCHOR: task
#[derive(Debug)]
pub struct Pretraining<'a> {
    model: &'a Transformer,
    /// The same weights without a graph, for validation.
    frozen: Transformer,
    loader: Loader,
    validation: Shards,
    config: PretrainConfig,
}

impl<'a> Pretraining<'a> {
    /// Connects a model with training and validation shards. `seed` decides the order of the sequences.
    ///
    /// # Errors
    /// If a setting cannot be, the sequences are longer than the model can take, the shards have a larger vocabulary than the model,
    /// or either set is smaller than one batch (one sequence for validation).
    pub fn new(
        model: &'a Transformer,
        training: Shards,
        validation: Shards,
        config: PretrainConfig,
        seed: u64,
    ) -> Result<Self> {
        config.validate()?;
        let sizes = model.config();
        if config.seq_len > sizes.max_seq_len {
            bail!("seq_len {} exceeds the model's max_seq_len {}", config.seq_len, sizes.max_seq_len);
        }
        for shards in [&training, &validation] {
            let vocab_size = shards.index().vocab_size;
            if vocab_size > sizes.vocab_size {
                bail!("the shards' vocabulary of {vocab_size} tokens exceeds the model's {}", sizes.vocab_size);
            }
        }
        let order = LoaderConfig { batch_size: config.batch_size, seq_len: config.seq_len, seed };
        let loader = Loader::new(training, order).map_err(Error::wrap)?;
        let frozen = model.for_inference()?;
        let task = Self { model, frozen, loader, validation, config };
        task.validation_batches()?;
        Ok(task)
    }

    /// Validation data in batches that are no larger than there are sequences.
    fn validation_batches(&self) -> Result<Sequential<'_>> {
        let seq_len = self.config.seq_len;
        let n_sequences = (self.validation.n_tokens().saturating_sub(1) / seq_len as u64) as usize;
        let batch_size = self.config.batch_size.min(n_sequences.max(1));
        Sequential::new(&self.validation, batch_size, seq_len).map_err(Error::wrap)
    }
}

impl Task for Pretraining<'_> {
    type Batch = Batch;

    fn next_batch(&mut self) -> Result<Batch> {
        self.loader.next_batch(self.model.device()).map_err(Error::wrap)
    }

    fn loss(&self, batch: &Batch) -> Result<MicroLoss> {
        next_token_loss(self.model, batch)
    }

    fn forward(&self, model: &Transformer, batch: &Batch) -> Result<()> {
        next_token_loss(model, batch).map(|_| ())
    }

    fn validate(&mut self) -> Result<Vec<(String, f64)>> {
        let mut batches = self.validation_batches()?;
        let (mut loss, mut n_targets) = (0.0, 0);
        for _ in 0..self.config.val_batches {
            let Some(batch) = batches.next_batch(self.frozen.device()).map_err(Error::wrap)? else { break };
            let part = next_token_loss(&self.frozen, &batch)?;
            loss += f64::from(part.sum.to_scalar::<f32>()?);
            n_targets += part.n_targets;
        }
        Ok(vec![("val_loss".to_string(), loss / n_targets as f64)])
    }

    fn state(&self) -> serde_json::Value {
        serde_json::to_value(self.loader.state()).unwrap_or_default()
    }

    fn restore(&mut self, state: &serde_json::Value) -> Result<()> {
        let state = serde_json::from_value(state.clone()).map_err(Error::wrap)?;
        self.loader.restore(&state).map_err(|error: BatchError| Error::wrap(error))
    }
}
// ANCHOR_END: task
