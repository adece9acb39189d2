//! Fits a stage's steps to the run's minutes: some steps are timed, then undone.
//!
//! The number of steps is decided before the first real one, because the learning rate's cosine needs to know where it ends, and it is
//! written to `run.toml`, so that a resumed run has the same schedule. Each stage takes a share of what is *left*, so that a
//! stage which took longer than planned shortens the ones after it. Two runs on different machines then differ, as they must.

use std::time::Instant;

use anyhow::Result;
use pretraining::steps_within;
use training::{Task, TrainConfig};
use transformer::Transformer;

use super::summary::seconds;
use crate::compute::ComputeConfig;
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
/// But not longer than this.
const MAX_TIMING_S: f64 = 30.0;

/// Seconds that a stage which began at `started` may train: `share` of what the run's minutes leave. `None` if the run has no limit.
///
/// # Errors
/// If the result of an earlier stage is damaged.
pub fn training_budget(run: &Run, started: Instant, share: f64) -> Result<Option<f64>> {
    let Some(minutes) = run.config().minutes else { return Ok(None) };
    let spent_s = seconds(run)?.values().sum::<f64>() + started.elapsed().as_secs_f64();
    Ok(Some((minutes * 60.0 - spent_s).max(0.0) * share))
}

/// `config` with as many steps as fit into `budget_s`, and the warmup in proportion. Model and task are afterwards as they were.
///
/// # Errors
/// If a step fails.
pub fn fit(
    compute: ComputeConfig,
    model: &Transformer,
    task: &mut impl Task,
    config: &TrainConfig,
    budget_s: f64,
) -> Result<TrainConfig> {
    let (weights, state) = (model.parameters().deep_clone()?, task.state());
    let mut trainer = compute.trainer(model, config.clone())?;
    let timing_s = timing_seconds(budget_s);
    let started = Instant::now();
    let mut steps_s = Vec::new();
    while steps_s.len() < MIN_TIMED_STEPS || started.elapsed().as_secs_f64() < timing_s {
        let step_started = Instant::now();
        trainer.train_step(task)?;
        steps_s.push(step_started.elapsed().as_secs_f64());
    }
    model.assign(&weights.tensors().collect())?;
    task.restore(&state)?;
    Ok(with_steps(config, steps_within(budget_s - started.elapsed().as_secs_f64(), &steps_s)))
}

fn timing_seconds(budget_s: f64) -> f64 {
    (budget_s * TIMING_SHARE).min(MAX_TIMING_S)
}

fn with_steps(config: &TrainConfig, steps: usize) -> TrainConfig {
    let mut config = config.clone();
    let warmup_share = config.schedule.warmup_steps as f64 / config.steps as f64;
    config.schedule.warmup_steps = (warmup_share * steps as f64).round() as usize;
    config.steps = steps;
    config
}

#[cfg(test)]
mod tests {
    use batches::Batch;
    use candle_core::{Device, Result};
    use serde_json::{Value, json};
    use training::{MicroLoss, Schedule, next_token_loss};
    use transformer::ModelConfig;

    use super::*;

    /// Counting, from a number that grows with every batch.
    struct Counting<'a> {
        model: &'a Transformer,
        next: u32,
    }

    impl Task for Counting<'_> {
        type Batch = Batch;

        fn next_batch(&mut self) -> Result<Batch> {
            self.next += 1;
            let ids: Vec<u32> = (0..5).map(|offset| (self.next + offset) % 16).collect();
            Batch::from_rows(&ids, 4, &Device::Cpu)
        }

        fn loss(&self, batch: &Batch) -> Result<MicroLoss> {
            next_token_loss(self.model, batch)
        }

        fn validate(&mut self) -> Result<Vec<(String, f64)>> {
            Ok(Vec::new())
        }

        fn state(&self) -> Value {
            json!(self.next)
        }

        fn restore(&mut self, state: &Value) -> Result<()> {
            self.next = state.as_u64().unwrap() as u32;
            Ok(())
        }
    }

    fn weights(model: &Transformer) -> Vec<Vec<f32>> {
        model.parameters().tensors().map(|(_, value)| value.flatten_all().unwrap().to_vec1().unwrap()).collect()
    }

    #[test]
    fn timing_leaves_no_trace_but_the_number_of_steps() {
        let sizes: ModelConfig = serde_json::from_value(json!({
            "vocab_size": 16, "d_model": 8, "n_layers": 1, "n_heads": 2, "n_kv_heads": 2, "d_ff": 16, "max_seq_len": 8,
        }))
        .unwrap();
        let model = Transformer::new(sizes, 0, &Device::Cpu).unwrap();
        let mut task = Counting { model: &model, next: 7 };
        let schedule = Schedule { peak_lr: 0.1, warmup_steps: 10, final_ratio: 0.1 };
        let config: TrainConfig = serde_json::from_value(json!({ "steps": 100, "schedule": schedule })).unwrap();
        let before = weights(&model);
        let fitted = fit(ComputeConfig::default(), &model, &mut task, &config, 2.0).unwrap();
        assert_eq!((weights(&model), task.next), (before, 7));
        assert!(fitted.steps > 1);
        assert_eq!(fitted.schedule.warmup_steps, (fitted.steps as f64 / 10.0).round() as usize);
        assert_eq!(fit(ComputeConfig::default(), &model, &mut task, &config, 0.0).unwrap().steps, 1, "no time is left");
    }

    #[test]
    fn a_year_is_not_timed_for_days() {
        assert!(timing_seconds(60.0) < 1.0);
        assert_eq!(timing_seconds(365.0 * 24.0 * 3600.0), MAX_TIMING_S);
    }
}
