//! From GPT-2's block to today's, one part at a time: the same data, the same number of tokens, several seeds, and what each part changed.
//!
//! The steps build on each other; the last rows take one thing away from the final model. A loss has a spread over seeds, and a difference that is smaller than the
//! spread says nothing.

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result};
use batches::Shards;
use candle_core::Device;
use pretraining::{PretrainConfig, Pretraining};
use serde::{Deserialize, Serialize};
use training::{AdamWConfig, Schedule, Task, TrainConfig};
use transformer::{
    Architecture, Biases, FeedForwardKind, ModelConfig, NormKind, Positions, Transformer, flops_per_token, n_parameters,
};

use crate::compute::ComputeConfig;
use crate::request::WrongRequest;

// ANCHOR: budget
/// What every model gets.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// Optimiser steps.
    pub steps: usize,
    /// Sequences in a step.
    pub batch: usize,
    /// Tokens in a sequence.
    pub seq_len: usize,
    /// How many times each is trained, with another seed for weights and order of the data.
    pub seeds: u64,
}
// ANCHOR_END: budget

/// What came of one variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Variant {
    /// What it is, or how it differs from the row above.
    pub name: String,
    /// Parameters.
    pub n_parameters: usize,
    /// FLOPs of a training token.
    pub flops_per_token: f64,
    /// Validation loss of each seed, in nats a token.
    pub losses: Vec<f64>,
}

impl Variant {
    /// Mean of the losses.
    pub fn mean(&self) -> f64 {
        self.losses.iter().sum::<f64>() / self.losses.len() as f64
    }

    /// Lowest and highest loss.
    pub fn range(&self) -> (f64, f64) {
        self.losses
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), loss| (low.min(*loss), high.max(*loss)))
    }
}

/// All variants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ablations {
    /// What every model got.
    pub budget: Budget,
    /// In the order of the steps.
    pub variants: Vec<Variant>,
}

// ANCHOR: variants
/// The steps, each with its model; all have the sizes of a GPT-2 of this width.
fn variants(vocab_size: usize, seq_len: usize) -> Vec<(&'static str, ModelConfig, Residual)> {
    const D_MODEL: usize = 128;
    let gpt2 = ModelConfig {
        vocab_size,
        d_model: D_MODEL,
        n_layers: 4,
        n_heads: 4,
        n_kv_heads: 4,
        d_ff: 4 * D_MODEL,
        max_seq_len: seq_len,
        rope_theta: 10_000.0,
        norm_eps: 1e-5,
        tie_embeddings: true,
        init_std: 0.02,
        architecture: Architecture::GPT2,
    };
    let with = |from: &ModelConfig, change: &dyn Fn(&mut Architecture)| {
        let mut config = from.clone();
        change(&mut config.architecture);
        config
    };
    let unbiased = with(&gpt2, &|parts| parts.biases = Biases::None);
    let rms_norm = with(&unbiased, &|parts| parts.norm = NormKind::RmsNorm);
    let rotary = with(&rms_norm, &|parts| parts.positions = Positions::default());
    let mut swiglu = with(&rotary, &|parts| parts.feed_forward = FeedForwardKind::SwiGlu);
    swiglu.d_ff = 4 * D_MODEL * 2 / 3; // Three matrices with as many parameters as two had.
    let grouped = ModelConfig { n_kv_heads: 2, ..swiglu.clone() };
    let qk_norm = with(&grouped, &|parts| parts.qk_norm = true);
    let untied = ModelConfig { tie_embeddings: false, ..grouped.clone() };
    let large_init = ModelConfig { init_std: 0.08, ..grouped.clone() };
    vec![
        ("GPT-2's block", gpt2, Residual::Scaled),
        ("+ no biases", unbiased, Residual::Scaled),
        ("+ RMSNorm", rms_norm, Residual::Scaled),
        ("+ rotary positions", rotary, Residual::Scaled),
        ("+ SwiGLU", swiglu, Residual::Scaled),
        ("+ 2 key-value heads: Llama's block", grouped.clone(), Residual::Scaled),
        ("Llama's with QK-norm", qk_norm, Residual::Scaled),
        ("Llama's with an untied head", untied, Residual::Scaled),
        ("Llama's, weights begin 4 times larger", large_init, Residual::Scaled),
        ("Llama's, residual weights not scaled", grouped, Residual::Plain),
    ]
}
// ANCHOR_END: variants

/// How the matrices that write to the residual stream begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Residual {
    /// Smaller by the square root of twice the number of layers.
    Scaled,
    /// Like all others.
    Plain,
}

/// Trains every variant on the shards of a run, and calls `done` with each that is finished.
///
/// # Errors
/// If there are no shards, they are too short for the budget, or training fails.
pub fn ablate(
    shards: &Path,
    budget: Budget,
    compute: ComputeConfig,
    done: &mut dyn FnMut(&Variant) -> Result<()>,
) -> Result<Ablations> {
    let open =
        |part: &str| Shards::open(shards.join(part)).with_context(|| format!("no shards in {}", shards.display()));
    let vocab_size = open("training")?.index().vocab_size;
    if budget.steps == 0 || budget.batch == 0 || budget.seq_len == 0 || budget.seeds == 0 {
        return Err(WrongRequest::new("steps, batch, sequence and seeds must be at least 1").into());
    }
    let mut finished = Vec::new();
    for (name, config, residual) in variants(vocab_size, budget.seq_len) {
        let mut losses = Vec::new();
        for seed in 0..budget.seeds {
            let model = Transformer::new(config.clone(), seed, &Device::Cpu)?;
            if residual == Residual::Plain {
                unscale(&model)?;
            }
            losses.push(train(
                &compute.place(&model)?,
                [open("training")?, open("validation")?],
                budget,
                compute,
                seed,
            )?);
        }
        let flops_per_token = flops_per_token(&config, budget.seq_len);
        let variant = Variant { name: name.to_string(), n_parameters: n_parameters(&config), flops_per_token, losses };
        done(&variant)?;
        finished.push(variant);
    }
    Ok(Ablations { budget, variants: finished })
}

/// Takes back the smaller beginning of the matrices that write to the stream.
fn unscale(model: &Transformer) -> Result<()> {
    let factor = (2.0 * model.config().n_layers as f64).sqrt();
    for (name, var) in model.parameters().iter() {
        if name.ends_with(".o") || name.ends_with(".down") {
            var.set(&(var.as_tensor() * factor)?)?;
        }
    }
    Ok(())
}

/// Validation loss after the budget.
fn train(
    model: &Transformer,
    [training, validation]: [Shards; 2],
    budget: Budget,
    compute: ComputeConfig,
    seed: u64,
) -> Result<f64> {
    let Budget { steps, batch, seq_len, .. } = budget;
    const PEAK_LR: f64 = 2e-3;
    let train = TrainConfig {
        steps,
        micro_batches: 1,
        schedule: Schedule { peak_lr: PEAK_LR, warmup_steps: steps / 10, final_ratio: 0.1 },
        optimizer: AdamWConfig::default(),
        clip_norm: 1.0,
        validate_every: 0,
        checkpoint_every: 0,
        keep_checkpoints: 1,
    };
    const VALIDATION_BATCHES: usize = 40;
    let config = PretrainConfig { batch_size: batch, seq_len, val_batches: VALIDATION_BATCHES, train: train.clone() };
    let mut task = Pretraining::new(model, training, validation, config, seed)?;
    let mut trainer = compute.trainer(model, train)?;
    for _ in 0..steps {
        trainer.train_step(&mut task)?;
    }
    let (_, loss) = task.validate()?.into_iter().next().context("validation gave no loss")?;
    Ok(loss)
}

impl fmt::Display for Ablations {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "| model | parameters | MFLOP a token | loss, mean | lowest to highest |\n|---|---|---|---|---|")?;
        for variant in &self.variants {
            let (low, high) = variant.range();
            writeln!(
                f,
                "| {} | {} | {:.2} | {:.3} | {low:.3} to {high:.3} |",
                variant.name,
                variant.n_parameters,
                variant.flops_per_token / 1e6,
                variant.mean()
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_changes_one_thing_and_none_adds_parameters_but_where_it_says_so() {
        let all = variants(512, 64);
        for (name, config, _) in &all {
            config.validate().unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        let n: Vec<usize> = all.iter().map(|(_, config, _)| n_parameters(config)).collect();
        assert!(n[..6].windows(2).all(|pair| pair[1] <= pair[0]), "{n:?}");
        // SwiGLU keeps the parameters of GELU's network to a rounding of d_ff.
        assert!((n[3] - n[4]) as f64 / (n[3] as f64) < 0.01, "{n:?}");
        assert_eq!((n[8], n[9]), (n[5], n[5]), "beginnings change no size");
        assert_eq!(all[5].1.architecture, Architecture::LLAMA);
    }
}
