//! Stage 4: pretraining, in `pretrain/`; the model goes to `pretrained/`.

use std::fmt;
use std::time::Instant;

use ::tokenizer::Tokenizer;
use anyhow::Result;
use batches::Shards;
use corpus::read_jsonl;
use evaluation::{BitsPerByte, bits_per_byte};
use kernels::training_memory::StepSizes;
use pretraining::{Pretraining, median};
use serde::{Deserialize, Serialize};
use training::{RunDir, Utilisation};
use transformer::{Transformer, n_parameters};

use super::corpus::{HELD_OUT_FILE, first_texts};
use super::model_folder::{self, ModelKind};
use super::shards::{TRAINING_SHARDS, VALIDATION_SHARDS};
use super::time_limit::{self, PRETRAIN_ALONE_SHARE, PRETRAIN_SHARE};
use super::watch::Watch;
use crate::memory;
use crate::run::Run;

/// What pretraining came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PretrainReport {
    /// Parameters of the model.
    pub n_parameters: usize,
    /// Optimiser steps.
    pub steps: usize,
    /// Tokens through the model.
    pub n_tokens: usize,
    /// Median tokens per second of a step.
    pub tokens_per_s: f64,
    /// Loss of the last step.
    pub loss: f64,
    /// Loss on validation shards after the last step.
    pub val_loss: f64,
    /// On held-out documents, before training.
    pub before: BitsPerByte,
    /// On held-out documents, after training.
    pub after: BitsPerByte,
}

/// Folder of metrics and checkpoints.
pub const TRAINING_FOLDER: &str = "pretrain";
/// Folder of the pretrained model.
pub const MODEL_FOLDER: &str = "pretrained";

/// Pretrains, or continues from the newest checkpoint.
///
/// # Errors
/// If data are missing, training diverges, or the disk is full.
pub fn pretrain(run: &mut Run) -> Result<PretrainReport> {
    let started = Instant::now();
    let tokenizer = super::tokenizer::load(run)?;
    let folder = RunDir::create(&run.path(TRAINING_FOLDER))?;
    let is_fresh = training::checkpoint::list(&folder.checkpoints())?.is_empty();
    let compute = run.config().compute;
    let model = Transformer::new(run.config().model.clone(), run.config().seed, run.device())?;
    let model = compute.place(&model)?;
    let before = held_out_bits(run, &model, &tokenizer)?;
    let mut task = task(run, &model)?;
    let step = memory_step(run);
    let share = if run.config().corpus.has_lessons() { PRETRAIN_SHARE } else { PRETRAIN_ALONE_SHARE };
    if let (Some(budget_s), true) = (time_limit::training_budget(run, started, share)?, is_fresh) {
        let fitted = time_limit::fit(compute, &model, &mut task, &run.config().pretrain.train, budget_s)
            .map_err(|error| memory::explain(error, model.config(), &step))?;
        run.resolve(|config| config.pretrain.train = fitted)?;
    }
    let config = run.config().pretrain.train.clone();
    let peak = compute.peak_flops_per_s(run.device());
    let utilisation = Utilisation::new(model.config(), run.config().pretrain.seq_len, peak);
    let mut trainer = compute.trainer(&model, config.clone())?.with_utilisation(utilisation);
    trainer.resume(&mut task, &folder)?;
    let mut watch = Watch::new("pretrain", config.steps);
    trainer
        .run(&mut task, Some(&folder), &mut |metrics| watch.step(metrics))
        .map_err(|error| memory::explain(error.into(), model.config(), &step))?;
    watch.finish();
    model_folder::save(&run.path(MODEL_FOLDER), &model, &tokenizer, ModelKind::Base)?;
    let metrics = folder.metrics()?;
    let last = metrics.last();
    Ok(PretrainReport {
        n_parameters: n_parameters(model.config()),
        steps: config.steps,
        n_tokens: last.map_or(0, |metrics| metrics.n_tokens),
        tokens_per_s: median(&metrics.iter().map(|metrics| metrics.tokens_per_s).collect::<Vec<_>>())
            .unwrap_or(f64::NAN),
        loss: last.map_or(f64::NAN, |metrics| metrics.loss),
        val_loss: last.and_then(|metrics| metrics.extras.get("val_loss").copied()).unwrap_or(f64::NAN),
        before,
        after: held_out_bits(run, &model, &tokenizer)?,
    })
}

/// What the memory of a step depends on.
fn memory_step(run: &Run) -> StepSizes {
    let pretrain = &run.config().pretrain;
    StepSizes {
        batch: pretrain.batch_size,
        seq_len: pretrain.seq_len,
        micro_batches: pretrain.train.micro_batches,
        graph: run.config().compute.graph(run.device()),
        stored: run.config().compute.stored(run.device()),
    }
}

fn task<'a>(run: &Run, model: &'a Transformer) -> Result<Pretraining<'a>> {
    let training = Shards::open(run.path(TRAINING_SHARDS))?;
    let validation = Shards::open(run.path(VALIDATION_SHARDS))?;
    Ok(Pretraining::new(model, training, validation, run.config().pretrain.clone(), run.config().seed)?)
}

/// Bits per byte on held-out documents, on so many at most as can be scored in a moment.
fn held_out_bits(run: &Run, model: &Transformer, tokenizer: &Tokenizer) -> Result<BitsPerByte> {
    const MAX_BYTES: usize = 200_000;
    let documents = read_jsonl(&run.path(HELD_OUT_FILE))?.documents;
    Ok(bits_per_byte(&model.for_inference()?, tokenizer, &first_texts(&documents, MAX_BYTES))?)
}

impl fmt::Display for PretrainReport {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(
            f,
            "{:.2} M parameters, {} steps, {:.2} M tokens, {:.0} tokens/s",
            self.n_parameters as f64 / 1e6,
            self.steps,
            self.n_tokens as f64 / 1e6,
            self.tokens_per_s
        )?;
        write!(
            f,
            "loss {:.3}, validation {:.3}; bits per byte on held-out documents {:.3} -> {:.3}",
            self.loss,
            self.val_loss,
            self.before.value(),
            self.after.value()
        )
    }
}
