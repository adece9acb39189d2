//! A training step of a model of any size on fixed data: what `tests/reference/torch_step.py` does in PyTorch, step for step.

use std::str::FromStr;

use anyhow::{Context, Result};
use batches::Batch;
use candle_core::{Device, Tensor};
use kernels::training_memory::{StepSizes, TrainingMemory};
use pretraining::median;
use serde::{Deserialize, Serialize};
use training::{MicroLoss, Schedule, Task, TrainConfig, Utilisation, next_token_loss};
use transformer::{Architecture, ModelConfig, Transformer, n_parameters};

use super::BYTES_PER_MB;
use super::peak::peak_flops;
use super::profile::StepProfile;
use super::{peak_memory_mb, resident_mb, seconds};
use crate::compute::{ComputeConfig, OpsKind};
use crate::request::WrongRequest;

/// Sizes of model and batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepShape {
    /// Width of the residual stream.
    pub d_model: usize,
    /// Blocks.
    pub n_layers: usize,
    /// Query heads.
    pub n_heads: usize,
    /// Key-value heads.
    pub n_kv_heads: usize,
    /// Width of the feed-forward network.
    pub d_ff: usize,
    /// Tokens in a sequence.
    pub seq_len: usize,
    /// Sequences in a step.
    pub batch: usize,
    /// Tokens in the vocabulary.
    pub vocab_size: usize,
}

/// `d_model=384,n_layers=6,...`: all eight, in any order.
impl FromStr for StepShape {
    type Err = WrongRequest;

    fn from_str(text: &str) -> Result<Self, WrongRequest> {
        let wrong = |reason: String| {
            let example = "d_model=384,n_layers=6,n_heads=6,n_kv_heads=6,d_ff=1024,seq_len=256,batch=8,vocab_size=4096";
            WrongRequest::new(format!("--shape {text:?}: {reason}; an example: {example}"))
        };
        let mut sizes = serde_json::Map::new();
        for pair in text.split(',') {
            let (name, value) = pair.split_once('=').ok_or_else(|| wrong(format!("{pair:?} is not name=number")))?;
            let value: usize = value.trim().parse().map_err(|_| wrong(format!("{value:?} is not a number")))?;
            if value == 0 {
                return Err(wrong(format!("{} must be at least 1", name.trim())));
            }
            sizes.insert(name.trim().to_string(), value.into());
        }
        serde_json::from_value(sizes.into()).map_err(|error| wrong(error.to_string()))
    }
}

impl StepShape {
    fn model(&self) -> ModelConfig {
        ModelConfig {
            vocab_size: self.vocab_size,
            d_model: self.d_model,
            n_layers: self.n_layers,
            n_heads: self.n_heads,
            n_kv_heads: self.n_kv_heads,
            d_ff: self.d_ff,
            max_seq_len: self.seq_len,
            rope_theta: 10_000.0,
            norm_eps: 1e-5,
            architecture: Architecture::LLAMA,
            tie_embeddings: false,
            init_std: 0.02,
        }
    }
}

/// What the steps took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainBench {
    /// What was run.
    pub shape: StepShape,
    /// On which operations and in which precision.
    pub compute: ComputeConfig,
    /// Threads.
    pub threads: usize,
    /// Where: `cpu`, or what the driver calls the GPU.
    pub device: String,
    /// Parameters of the model.
    pub n_parameters: usize,
    /// Median seconds of a step.
    pub step_seconds: f64,
    /// Tokens a second at that.
    pub tokens_per_s: f64,
    /// Floating-point operations a second, counted from the model's sizes.
    pub gflops: f64,
    /// Those of a large product on this CPU, or of the GPU's data sheet if we have it.
    pub peak_gflops: Option<f64>,
    /// Share of that peak: MFU (Chowdhery et al. 2022, arXiv 2204.02311, appendix B).
    pub mfu: Option<f64>,
    /// The most memory held on the device, in megabytes.
    pub peak_memory_mb: Option<f64>,
    /// The same by count: what the process held before the model was made, and what the shapes say. Not known for micro-batches side by side.
    pub counted_mb: Option<f64>,
    /// Loss of the first and the last step.
    pub losses: [f64; 2],
    /// Where the time of a step on a GPU went, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<StepProfile>,
}

const WARMUP_STEPS: usize = 2;

/// Whether kernels are timed one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// Whole steps alone.
    Steps,
    /// A GPU's kernels too, which slows the steps.
    Kernels,
}

/// Times `steps` steps after two that are not counted.
///
/// # Errors
/// If the sizes do not fit each other, or kernels cannot be timed.
pub fn train(
    shape: &StepShape,
    compute: ComputeConfig,
    device: &Device,
    steps: usize,
    timing: Timing,
) -> Result<TrainBench> {
    compute.validate_on(device).map_err(|error| WrongRequest::new(error.to_string()))?;
    let config = shape.model();
    config.validate().map_err(|error| WrongRequest::new(error.to_string()))?;
    let threads = rayon::current_num_threads();
    // The reference operations use one core each: the batch is cut into one part a core, as a trainer would.
    let micro_batches = match compute.ops {
        OpsKind::Reference if device.is_cpu() => {
            (1..=threads).rev().find(|parts| shape.batch.is_multiple_of(*parts)).unwrap_or(1)
        }
        _ => 1,
    };
    let counted_mb = (micro_batches == 1).then(|| counted_mb(&config, shape, compute, device)).flatten();
    let model = compute.place(&Transformer::new(config, 0, device)?)?;
    let mut task = FixedTokens { model: &model, shape, n_parts: micro_batches, part: 0 };
    let settings = TrainConfig {
        steps: steps + WARMUP_STEPS,
        micro_batches,
        schedule: Schedule { peak_lr: 1e-3, warmup_steps: 0, final_ratio: 1.0 },
        optimizer: training::AdamWConfig { beta2: 0.999, ..training::AdamWConfig::default() },
        clip_norm: f64::INFINITY,
        validate_every: 0,
        checkpoint_every: 0,
        keep_checkpoints: 1,
    };
    let mut trainer = compute.trainer(&model, settings)?;
    let mut times = Vec::with_capacity(steps);
    let mut losses = Vec::with_capacity(steps);
    for step in 0..steps + WARMUP_STEPS {
        if step == WARMUP_STEPS && timing == Timing::Kernels {
            compute.start_profile(device).map_err(|error| WrongRequest::new(error.to_string()))?;
        }
        let (elapsed_s, metrics) = seconds(|| Ok(trainer.train_step(&mut task)?))?;
        losses.push(metrics.loss);
        if step >= WARMUP_STEPS {
            times.push(elapsed_s);
        }
    }
    let profile = match timing {
        Timing::Steps => None,
        Timing::Kernels => Some(compute.stop_profile(device, steps)?),
    };
    let peak_memory_mb = peak_memory_mb(device)?;
    // A GPU's peak is on its data sheet; a CPU's is measured.
    let peak_flops_per_s = match device.is_cpu() {
        true => Some(peak_flops(compute.precision.into())),
        false => compute.peak_flops_per_s(device),
    };
    let step_seconds = median(&times).context("no step was timed")?;
    let tokens_per_s = (shape.batch * shape.seq_len) as f64 / step_seconds;
    let utilisation = Utilisation::new(model.config(), shape.seq_len, peak_flops_per_s);
    Ok(TrainBench {
        shape: shape.clone(),
        compute,
        threads,
        device: crate::compute::device_name(device).unwrap_or_else(|| "cpu".to_string()),
        n_parameters: n_parameters(model.config()),
        step_seconds,
        tokens_per_s,
        gflops: utilisation.flops_per_s(tokens_per_s) / 1e9,
        peak_gflops: peak_flops_per_s.map(|peak| peak / 1e9),
        mfu: utilisation.mfu(tokens_per_s),
        peak_memory_mb,
        counted_mb,
        losses: [*losses.first().context("no step was made")?, *losses.last().context("no step was made")?],
        profile,
    })
}

/// What the process holds already, and what training adds to it by count.
fn counted_mb(config: &ModelConfig, shape: &StepShape, compute: ComputeConfig, device: &Device) -> Option<f64> {
    let (graph, stored) = (compute.graph(device), compute.stored(device));
    let step = StepSizes { batch: shape.batch, seq_len: shape.seq_len, micro_batches: 1, graph, stored };
    // A process on the CPU holds something before the model is made; a GPU's pool lends nothing but tensors.
    let before = if device.is_cpu() { resident_mb()? } else { 0.0 };
    Some(before + TrainingMemory::of(config, &step).total() as f64 / BYTES_PER_MB)
}

/// The same tokens in every step, in so many parts.
struct FixedTokens<'a> {
    model: &'a Transformer,
    shape: &'a StepShape,
    n_parts: usize,
    part: usize,
}

impl Task for FixedTokens<'_> {
    type Batch = Batch;

    fn next_batch(&mut self) -> candle_core::Result<Batch> {
        let (batch, seq_len, vocab_size) = (self.shape.batch / self.n_parts, self.shape.seq_len, self.shape.vocab_size);
        let start = self.part * batch * seq_len;
        self.part = (self.part + 1) % self.n_parts;
        let inputs: Vec<u32> = (start..start + batch * seq_len).map(|i| (i * 7919 % vocab_size) as u32).collect();
        let targets: Vec<u32> = inputs.iter().map(|&token| (token * 31 + 7) % vocab_size as u32).collect();
        let tensor = |ids: Vec<u32>| Tensor::from_vec(ids, (batch, seq_len), self.model.device());
        Ok(Batch { inputs: tensor(inputs)?, targets: tensor(targets)?, mask: None })
    }

    fn loss(&self, batch: &Batch) -> candle_core::Result<MicroLoss> {
        next_token_loss(self.model, batch)
    }

    fn validate(&mut self) -> candle_core::Result<Vec<(String, f64)>> {
        Ok(Vec::new())
    }

    fn state(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    fn restore(&mut self, _state: &serde_json::Value) -> candle_core::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "d_model=16,n_layers=1,n_heads=2,n_kv_heads=1,d_ff=24,seq_len=8,batch=2,vocab_size=32";

    #[test]
    fn shapes_are_read_whole_or_not_at_all() {
        let shape: StepShape = SMALL.parse().unwrap();
        assert_eq!((shape.d_ff, shape.vocab_size), (24, 32));
        for (text, reason) in [
            ("d_model=16", "missing field"),
            ("d_model", "not name=number"),
            ("x=1", "unknown field"),
            ("d_model=0", "at least 1"),
        ] {
            let error = text.parse::<StepShape>().unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn both_kinds_of_operations_learn_the_same() {
        let shape: StepShape = SMALL.parse().unwrap();
        let fused = train(&shape, ComputeConfig::default(), &Device::Cpu, 3, Timing::Steps).unwrap();
        let reference = ComputeConfig { ops: OpsKind::Reference, ..ComputeConfig::default() };
        let reference = train(&shape, reference, &Device::Cpu, 3, Timing::Steps).unwrap();
        for (a, b) in fused.losses.iter().zip(&reference.losses) {
            assert!((a / b - 1.0).abs() < 1e-4, "{a} {b}");
        }
        assert!(fused.losses[1] < fused.losses[0]);
    }
}
