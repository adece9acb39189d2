//! The loop that trains everything in this book. What is learned, a [`Task`] says: it turns its next data into a loss. The trainer adds
//! gradients up, clips them, steps the optimiser, logs, validates and saves. Pretraining, finetuning and preference optimisation
//! are three tasks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use candle_core::{DType, Error, Result, bail};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use transformer::Transformer;

use crate::checkpoint::{self, TrainerState};
use crate::divergence;
use crate::gradients::clip_factor;
use crate::{AdamW, AdamWConfig, Gradients, Metrics, MicroLoss, OptimizerOps, RunDir, Schedule, Utilisation};

// ANCHOR: task
/// What is learned.
pub trait Task: Sync {
    /// The data of one micro-batch.
    type Batch: Send + Sync;

    /// The next micro-batch. All that is random or has an order happens here.
    ///
    /// # Errors
    /// If the data fail.
    fn next_batch(&mut self) -> Result<Self::Batch>;

    /// The loss of a micro-batch. Losses of several micro-batches may be computed at the same time.
    ///
    /// # Errors
    /// If the model fails.
    fn loss(&self, batch: &Self::Batch) -> Result<MicroLoss>;

    /// The forward pass of [`Task::loss`] on `model`: the weights that are trained, on operations that watch. It runs when a step has failed, to say
    /// where. A task without it is told less.
    ///
    /// # Errors
    /// If the model fails.
    fn forward(&self, _model: &Transformer, _batch: &Self::Batch) -> Result<()> {
        Ok(())
    }

    /// The loss of the next micro-batch.
    ///
    /// # Errors
    /// If data or model fail.
    fn next_loss(&mut self) -> Result<MicroLoss> {
        let batch = self.next_batch()?;
        self.loss(&batch)
    }

    /// Named values on held-out data, such as `val_loss`. Must not change what [`Task::next_batch`] will return.
    ///
    /// # Errors
    /// If data or model fail.
    fn validate(&mut self) -> Result<Vec<(String, f64)>>;

    /// What is needed to continue with the same data.
    fn state(&self) -> serde_json::Value;

    /// Continues from a state.
    ///
    /// # Errors
    /// If the state belongs to other data.
    fn restore(&mut self, state: &serde_json::Value) -> Result<()>;
}
// ANCHOR_END: task

// ANCHOR: train_config
/// The settings of a training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Number of optimiser steps.
    pub steps: usize,
    /// Micro-batches whose gradients are summed before each step.
    #[serde(default = "one")]
    pub micro_batches: usize,
    /// The learning rate over the run.
    pub schedule: Schedule,
    /// AdamW's constants.
    #[serde(default)]
    pub optimizer: AdamWConfig,
    /// Gradients are clipped to this global norm.
    #[serde(default = "default_clip_norm")]
    pub clip_norm: f64,
    /// Validate after every so many steps, and after the last; 0 for the last alone.
    #[serde(default)]
    pub validate_every: usize,
    /// Save after every so many steps, and after the last; 0 for the last alone.
    #[serde(default)]
    pub checkpoint_every: usize,
    /// How many checkpoints are kept.
    #[serde(default = "default_keep_checkpoints")]
    pub keep_checkpoints: usize,
}
// ANCHOR_END: train_config

fn one() -> usize {
    1
}

fn default_clip_norm() -> f64 {
    1.0
}

fn default_keep_checkpoints() -> usize {
    2
}

impl TrainConfig {
    /// Checks the values.
    ///
    /// # Errors
    /// Names the first value that cannot be.
    pub fn validate(&self) -> Result<()> {
        if self.steps == 0 || self.micro_batches == 0 {
            bail!("steps {} and micro_batches {} must be at least 1", self.steps, self.micro_batches);
        }
        let Schedule { peak_lr, final_ratio, .. } = self.schedule;
        if !(peak_lr > 0.0 && peak_lr.is_finite()) {
            bail!("peak_lr {peak_lr} must be a positive number");
        }
        if !(0.0..=1.0).contains(&final_ratio) {
            bail!("final_ratio {final_ratio} must be between 0 and 1");
        }
        if self.clip_norm.is_nan() || self.clip_norm <= 0.0 {
            bail!("clip_norm {} must be positive", self.clip_norm);
        }
        let AdamWConfig { beta1, beta2, eps, weight_decay } = self.optimizer;
        if !(0.0..1.0).contains(&beta1) || !(0.0..1.0).contains(&beta2) {
            bail!("beta1 {beta1} and beta2 {beta2} must be at least 0 and below 1");
        }
        if !(eps > 0.0 && eps.is_finite()) {
            bail!("eps {eps} must be a positive number");
        }
        if !(weight_decay >= 0.0 && weight_decay.is_finite()) {
            bail!("weight_decay {weight_decay} must be a number of at least 0");
        }
        Ok(())
    }
}

// ANCHOR: trainer
/// A model in training.
#[derive(Debug)]
pub struct Trainer<'a> {
    model: &'a Transformer,
    config: TrainConfig,
    optimizer: AdamW,
    utilisation: Option<Utilisation>,
    step: usize,
    n_tokens: usize,
}

impl<'a> Trainer<'a> {
    /// A trainer at step 0.
    ///
    /// # Errors
    /// If the settings are not valid.
    pub fn new(model: &'a Transformer, config: TrainConfig) -> Result<Self> {
        config.validate()?;
        let optimizer = AdamW::new(config.optimizer, model.parameters())?;
        Ok(Self { model, config, optimizer, utilisation: None, step: 0, n_tokens: 0 })
    }

    /// The same trainer with another optimiser's arithmetic.
    pub fn with_optimizer_ops(self, ops: Arc<dyn OptimizerOps>) -> Self {
        Self { optimizer: self.optimizer.with_ops(ops), ..self }
    }

    /// The same trainer, whose metrics say how well it uses its device.
    pub fn with_utilisation(self, utilisation: Utilisation) -> Self {
        Self { utilisation: Some(utilisation), ..self }
    }

    /// One optimiser step: sum, clip, update.
    ///
    /// # Errors
    /// If the loss or the gradient is not finite: the message says where, and the weights are those of the step before.
    pub fn train_step<T: Task>(&mut self, task: &mut T) -> Result<Metrics> {
        let started = Instant::now();
        let mut gradients = Gradients::default();
        let (mut loss, mut n_targets, mut n_tokens) = (0.0, 0, 0);
        let mut extras: BTreeMap<String, f64> = BTreeMap::new();
        let batches = (0..self.config.micro_batches).map(|_| task.next_batch()).collect::<Result<Vec<_>>>()?;
        for some in batches.chunks(self.n_at_once()) {
            for (micro, of_micro) in losses_and_gradients(&*task, self.model, some)? {
                gradients.add(of_micro)?;
                loss += f64::from(micro.sum.to_dtype(DType::F32)?.to_scalar::<f32>()?);
                n_targets += micro.n_targets;
                n_tokens += micro.n_tokens;
                for (name, mean) in micro.extras {
                    *extras.entry(name.to_string()).or_default() += mean * micro.n_targets as f64;
                }
            }
        }
        // The gradients are those of a sum; loss and extras are means.
        let loss = loss / n_targets as f64;
        extras.values_mut().for_each(|value| *value /= n_targets as f64);
        gradients.extend(self.model.ops().take_gradients())?;
        gradients.check_coverage(self.model.parameters())?;
        let grad_norm = gradients.global_norm(self.optimizer.ops())? / n_targets as f64;
        if !loss.is_finite() || !grad_norm.is_finite() {
            return Err(self.diverged(&*task, &batches, loss, grad_norm, &gradients));
        }
        let lr = self.config.schedule.learning_rate(self.step, self.config.steps);
        let scale = clip_factor(grad_norm, self.config.clip_norm) / n_targets as f64;
        self.optimizer.step(self.model.parameters(), &gradients, lr, scale)?;
        if !self.optimizer.ops().updates_copies() {
            self.model.ops().weights_changed();
        }
        self.step += 1;
        self.n_tokens += n_tokens;
        let tokens_per_s = n_tokens as f64 / started.elapsed().as_secs_f64();
        Ok(Metrics {
            step: self.step,
            loss,
            grad_norm,
            lr,
            n_tokens: self.n_tokens,
            elapsed_s: 0.0,
            tokens_per_s,
            flops_per_s: self.utilisation.map(|utilisation| utilisation.flops_per_s(tokens_per_s)),
            mfu: self.utilisation.and_then(|utilisation| utilisation.mfu(tokens_per_s)),
            extras,
        })
    }

    /// What to say of a step that was not finite: where, and what to try.
    fn diverged<T: Task>(
        &self,
        task: &T,
        batches: &[T::Batch],
        loss: f64,
        grad_norm: f64,
        gradients: &Gradients,
    ) -> Error {
        let place = divergence::place(task, self.model, batches, loss, gradients);
        let place = place.unwrap_or_else(|error| format!("unknown, for looking failed: {error}"));
        let Schedule { peak_lr, warmup_steps, .. } = self.config.schedule;
        Error::msg(format!(
            "loss {loss} and gradient norm {grad_norm} at step {}: training diverged. Where: {place}. Ways out: a peak_lr below {peak_lr}, more \
             warmup_steps than {warmup_steps}, a look at this step's text, f32 if matrices are multiplied in bf16",
            self.step + 1
        ))
    }

    /// How many micro-batches are computed side by side: one a core, unless one alone keeps all cores busy. A GPU takes one at a time, for
    /// its memory's sake.
    fn n_at_once(&self) -> usize {
        let is_serial = self.model.device().is_cpu() && !self.model.ops().uses_all_cores();
        if is_serial { rayon::current_num_threads() } else { 1 }
    }
}
// ANCHOR_END: trainer

// ANCHOR: side_by_side
/// Losses and gradients of micro-batches, each on a thread of its own, returned in the order of the batches: the sums do not depend on
/// who is ready first.
fn losses_and_gradients<T: Task>(
    task: &T,
    model: &Transformer,
    batches: &[T::Batch],
) -> Result<Vec<(MicroLoss, Gradients)>> {
    let of_one = |batch: &T::Batch| {
        let micro = task.loss(batch)?;
        let gradients = Gradients::of_graph(&micro.sum, model.parameters())?;
        Ok((micro, gradients))
    };
    match batches {
        [batch] => Ok(vec![of_one(batch)?]),
        _ => batches.par_iter().map(of_one).collect(),
    }
}
// ANCHOR_END: side_by_side

// ANCHOR: run
impl Trainer<'_> {
    /// Trains up to the last step, logging and saving to `run` if there is one. `observe` sees every step.
    ///
    /// # Errors
    /// If the loss is not finite, or data, model or disk fail.
    pub fn run<T: Task>(
        &mut self,
        task: &mut T,
        run: Option<&RunDir>,
        observe: &mut dyn FnMut(&Metrics),
    ) -> Result<()> {
        let started = Instant::now();
        while self.step < self.config.steps {
            let mut metrics = self.train_step(task)?;
            metrics.elapsed_s = started.elapsed().as_secs_f64();
            if self.is_due(self.config.validate_every) {
                metrics.extras.extend(task.validate()?);
            }
            observe(&metrics);
            if let Some(run) = run {
                run.append(&metrics)?;
                if self.is_due(self.config.checkpoint_every) {
                    self.save(task, run)?;
                }
            }
        }
        Ok(())
    }

    /// Whether something that happens after every `period` steps happens now.
    fn is_due(&self, period: usize) -> bool {
        self.step == self.config.steps || (period > 0 && self.step.is_multiple_of(period))
    }
}
// ANCHOR_END: run

// ANCHOR: resume
impl Trainer<'_> {
    /// Writes a checkpoint of this moment.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, task: &impl Task, run: &RunDir) -> Result<()> {
        let state =
            TrainerState { step: self.step, n_tokens: self.n_tokens, config: self.config.clone(), task: task.state() };
        checkpoint::save(&run.checkpoints(), &state, self.model, &self.optimizer, self.config.keep_checkpoints)?;
        Ok(())
    }

    /// Continues from the newest checkpoint of `run`, if there is one, and drops metrics of later steps. Returns the step.
    ///
    /// # Errors
    /// If the checkpoint is damaged or belongs to another model, other settings or other data.
    pub fn resume(&mut self, task: &mut impl Task, run: &RunDir) -> Result<usize> {
        let Some((_, path)) = checkpoint::list(&run.checkpoints())?.pop() else {
            run.truncate_metrics(0)?;
            return Ok(0);
        };
        let state = checkpoint::load(&path, &self.config, self.model, &mut self.optimizer)?;
        task.restore(&state.task)?;
        run.truncate_metrics(state.step)?;
        (self.step, self.n_tokens) = (state.step, state.n_tokens);
        Ok(self.step)
    }
}
// ANCHOR_END: resume

impl Trainer<'_> {
    /// Steps taken so far.
    pub fn step(&self) -> usize {
        self.step
    }
}
