//! Fits a stage's steps to the run's minutes: some steps are timed, then undone.
//!
//! The number of steps is decided before the first real one, because the learning rate's cosine needs to know where it ends, and it is
//! written to `run.toml`, so that a resumed run has the same schedule. Each stage takes a share of what is *left*, so that a
//! stage which took longer than planned shortens the ones after it. Two runs on different machines then differ, as they must.

use std::time::Instant;

use anyhow::Result;
use pretraining::steps_within;
use training::{Task, TrainConfig, Trainer};
use transformer::Transformer;

use crate::run::Run;

/// Pretraining's share of the time that is left when it begins. What no stage takes goes to the evaluations and the report.
pub const PRETRAIN_SHARE: f64 = 0.72;
/// The same where nothing is finetuned afterwards.
pub const PRETRAIN_ALONE_SHARE: f64 = 0.92;
/// Finetuning's share of the time that is left when it begins.
pub const SFT_SHARE: f64 = 0.45;
/// Preference optimisation's share of the time that is left when it begins.
pub const DPO_SHARE: f64 = 0.6;

const MIN_TIMED_STEPS: usize = 4;
/// Timing goes on for this share of the budget: the longer a run, the better its step is known.
const TIMING_SHARE: f64 = 0.01;

/// Seconds that a stage which began at `started` may train: `share` of what the run's minutes leave. `None` if the run has no limit.
///
/// # Errors
/// If the result of an earlier stage is damaged.
pub fn training_budget(run: &Run, started: Instant, share: f64) -> Result<Option<f64>> {
    let Some(minutes) = run.config().minutes else { return Ok(None) };
    let spent_s = run.seconds_of_finished_stages()? + started.elapsed().as_secs_f64();
    Ok(Some((minutes * 60.0 - spent_s).max(0.0) * share))
}

/// `config` with as many steps as fit into `budget_s`, and the warmup in proportion. Model and task are afterwards as they were.
///
/// # Errors
/// If a step fails.
pub fn fit(model: &Transformer, task: &mut impl Task, config: &TrainConfig, budget_s: f64) -> Result<TrainConfig> {
    let (weights, state) = (model.parameters().deep_clone()?, task.state());
    let mut trainer = Trainer::new(model, config.clone())?;
    let started = Instant::now();
    let mut seconds = Vec::new();
    while seconds.len() < MIN_TIMED_STEPS || started.elapsed().as_secs_f64() < budget_s * TIMING_SHARE {
        let started = Instant::now();
        trainer.train_step(task)?;
        seconds.push(started.elapsed().as_secs_f64());
    }
    model.parameters().assign(&weights.tensors().collect())?;
    task.restore(&state)?;
    Ok(with_steps(config, steps_within(budget_s - started.elapsed().as_secs_f64(), &seconds)))
}

fn with_steps(config: &TrainConfig, steps: usize) -> TrainConfig {
    let mut config = config.clone();
    let warmup_share = config.schedule.warmup_steps as f64 / config.steps as f64;
    config.schedule.warmup_steps = (warmup_share * steps as f64).round() as usize;
    config.steps = steps;
    config
}
