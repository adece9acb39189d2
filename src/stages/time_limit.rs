//! Fits a stage's steps to the run's minutes: a few steps are timed on a copy of the model, which is thrown away.
//!
//! The number of steps is decided before the first real one, because the learning rate's cosine needs to know where it ends, and it is
//! written to `run.toml`, so that a resumed run has the same schedule. Two runs on different machines then differ, as they must.

use std::time::Instant;

use anyhow::Result;
use pretraining::steps_within;
use training::{Task, TrainConfig, Trainer};
use transformer::Transformer;

/// Shares of a run's minutes. What is left goes to the corpus, the evaluations and the report.
pub const PRETRAIN_SHARE: f64 = 0.62;
/// For supervised finetuning.
pub const SFT_SHARE: f64 = 0.12;
/// For preference optimisation.
pub const DPO_SHARE: f64 = 0.08;

const TIMED_STEPS: usize = 4;

/// The number of steps of `config` that fit into `budget_s`. `task` is only read from; make a fresh one for the real run.
///
/// # Errors
/// If a step fails.
pub fn fitting_steps(copy: &Transformer, task: &mut impl Task, config: &TrainConfig, budget_s: f64) -> Result<usize> {
    let mut trainer = Trainer::new(copy, config.clone())?;
    let mut seconds = Vec::with_capacity(TIMED_STEPS);
    for _ in 0..TIMED_STEPS {
        let started = Instant::now();
        trainer.train_step(task)?;
        seconds.push(started.elapsed().as_secs_f64());
    }
    Ok(steps_within(budget_s, &seconds))
}

/// Changes the number of steps, and the warmup in proportion.
pub fn resize(config: &mut TrainConfig, steps: usize) {
    let share = config.schedule.warmup_steps as f64 / config.steps as f64;
    config.schedule.warmup_steps = (share * steps as f64).round() as usize;
    config.steps = steps;
}

/// A trainable copy, whose training leaves the original as it is.
///
/// # Errors
/// If there is no memory for it.
pub fn trainable_copy(model: &Transformer) -> Result<Transformer> {
    let copy = Transformer::new(model.config().clone(), 0, model.device())?;
    copy.parameters().assign(&model.parameters().tensors().collect())?;
    Ok(copy)
}
