//! Finetuning as a task: the same loss as in pretraining, on conversations, where only answers count.

use anyhow::Context;
use batches::Batch;
use candle_core::{Result, bail};
use serde::{Deserialize, Serialize};
use tokenizer::Tokenizer;
use training::{MicroLoss, Task, TrainConfig, next_token_loss};
use transformer::Transformer;

use crate::example::padded_batch;
use crate::{ChatTemplate, Conversation, Example, ExampleOrder};

/// What finetuning needs besides a model and conversations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinetuneConfig {
    /// Conversations in a micro-batch.
    pub batch_size: usize,
    /// The optimiser's run.
    pub train: TrainConfig,
}

impl FinetuneConfig {
    /// Checks the values.
    ///
    /// # Errors
    /// Names the first value that cannot be.
    pub fn validate(&self) -> Result<()> {
        if self.batch_size == 0 {
            bail!("batch_size 0 must be at least 1");
        }
        self.train.validate()
    }
}

/// Supervised finetuning.
// ANCHOR: task
#[derive(Debug)]
pub struct Finetuning<'a> {
    model: &'a Transformer,
    frozen: Transformer,
    examples: Vec<Example>,
    validation: Vec<Example>,
    n_too_long: usize,
    order: ExampleOrder,
    batch_size: usize,
}

impl<'a> Finetuning<'a> {
    /// Tokenises conversations, those to learn and those to validate on. What is longer than the model's longest sequence is left out;
    /// of those to learn it is counted. `seed` decides their order.
    ///
    /// # Errors
    /// If a setting cannot be, no conversation fits, or one has no answer.
    pub fn new(
        model: &'a Transformer,
        tokenizer: &Tokenizer,
        template: &ChatTemplate,
        learned: &[Conversation],
        held_out: &[Conversation],
        config: &FinetuneConfig,
        seed: u64,
    ) -> anyhow::Result<Self> {
        config.validate()?;
        let max_len = model.config().max_seq_len + 1;
        let encode = |conversations: &[Conversation]| -> anyhow::Result<Vec<Example>> {
            let all = conversations.iter().enumerate().map(|(index, conversation)| {
                Example::new(conversation, template, tokenizer).with_context(|| format!("conversation {index}"))
            });
            all.collect()
        };
        let mut examples = encode(learned)?;
        let n_before = examples.len();
        examples.retain(|example| example.tokens.len() <= max_len);
        let n_too_long = n_before - examples.len();
        let mut validation = encode(held_out)?;
        validation.retain(|example| example.tokens.len() <= max_len);
        let order = ExampleOrder::new(examples.len(), seed)
            .with_context(|| format!("{n_too_long} of {n_before} conversations exceed {max_len} tokens"))?;
        let frozen = model.for_inference()?;
        Ok(Self { model, frozen, examples, validation, n_too_long, order, batch_size: config.batch_size })
    }

    /// How many conversations were too long.
    pub fn n_too_long(&self) -> usize {
        self.n_too_long
    }
}

impl Task for Finetuning<'_> {
    type Batch = Batch;

    fn next_batch(&mut self) -> Result<Batch> {
        let examples: Vec<&Example> = self.order.take(self.batch_size).into_iter().map(|i| &self.examples[i]).collect();
        padded_batch(&examples, self.model.device())
    }

    fn loss(&self, batch: &Batch) -> Result<MicroLoss> {
        next_token_loss(self.model, batch)
    }

    fn forward(&self, model: &Transformer, batch: &Batch) -> Result<()> {
        next_token_loss(model, batch).map(|_| ())
    }

    fn validate(&mut self) -> Result<Vec<(String, f64)>> {
        const EXAMPLES_PER_BATCH: usize = 16;
        let (mut loss, mut n_targets) = (0.0, 0);
        for chunk in self.validation.chunks(EXAMPLES_PER_BATCH) {
            let examples: Vec<&Example> = chunk.iter().collect();
            let part = next_token_loss(&self.frozen, &padded_batch(&examples, self.frozen.device())?)?;
            loss += f64::from(part.sum.to_scalar::<f32>()?);
            n_targets += part.n_targets;
        }
        if n_targets == 0 {
            return Ok(Vec::new());
        }
        Ok(vec![("val_loss".to_string(), loss / n_targets as f64)])
    }

    fn state(&self) -> serde_json::Value {
        serde_json::to_value(&self.order).unwrap_or_default()
    }

    fn restore(&mut self, state: &serde_json::Value) -> Result<()> {
        self.order.restore(state)
    }
}
// ANCHOR_END: task
