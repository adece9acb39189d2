//! A run before it is run: parameters, tokens, memory by part, hours, and the loss to expect.
//!
//! Memory is chapter 9's count, with activations and a copy of the weights in bf16. Time is the run's FLOPs over a *stated* share of a data sheet's peak: the share is an assumption,
//! and only a run can tell it. The loss is a band between two published fits. So all but the counts are predictions.

use std::fmt;

use kernels::Precision;
use kernels::activation_memory::Graph;
use kernels::training_memory::{StepSizes, Stored, TrainingMemory};
use serde::Serialize;
use transformer::{ModelConfig, n_parameters};

use crate::scaling_law::SCALING_LAWS;
use crate::{Gpu, PretrainConfig, run_flops};

/// What a CUDA context, libraries and an allocator's gaps take beyond the count, as a share of the memory as sold.
const RESERVED_SHARE: f64 = 0.1;
const BYTES_PER_GB: f64 = 1e9;
const SECONDS_PER_HOUR: f64 = 3600.0;

// ANCHOR: plan
/// What a run will take.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Parameters of the model.
    pub n_parameters: usize,
    /// Tokens of the whole run.
    pub n_tokens: usize,
    /// Optimiser steps.
    pub steps: usize,
    /// Floating-point operations of the run, attention in full.
    pub flops: f64,
    /// Gigabytes at the peak of a step, by what they are for.
    pub memory_gb: Vec<(&'static str, f64)>,
    /// Their sum.
    pub total_memory_gb: f64,
    /// The lower and the higher of two published fits, in nats per token.
    pub loss: [f64; 2],
    /// The share of the peak that the hours assume.
    pub mfu: f64,
    /// One line for each GPU.
    pub gpus: Vec<OnGpu>,
}

/// The run on one GPU.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OnGpu {
    /// The GPU.
    pub name: &'static str,
    /// Its memory.
    pub memory_gb: f64,
    /// Its peak in bf16.
    pub peak_tflops: f64,
    /// Hours of training, or `None` if the step does not fit into the memory.
    pub hours: Option<f64>,
}

/// The plan of a pretraining run in bf16 on each of `gpus`, at an assumed utilisation `mfu`.
pub fn plan(model: &ModelConfig, pretrain: &PretrainConfig, graph: Graph, gpus: &[Gpu], mfu: f64) -> Plan {
    let steps = pretrain.train.steps;
    let n_tokens = pretrain.tokens_per_step() * steps;
    let flops = run_flops(model, pretrain.seq_len, n_tokens as f64);
    let memory = TrainingMemory::of(
        model,
        &StepSizes {
            batch: pretrain.batch_size,
            seq_len: pretrain.seq_len,
            micro_batches: pretrain.train.micro_batches,
            graph,
            stored: Stored::OnGpu(Precision::Bf16),
        },
    );
    let total_memory_gb = memory.total() as f64 / BYTES_PER_GB;
    let n_parameters = n_parameters(model);
    let [a, b] = SCALING_LAWS.map(|law| law.loss(n_parameters as f64, n_tokens as f64));
    let on = |gpu: &Gpu| {
        let peak = gpu.peak_flops_per_s(Precision::Bf16);
        let fits = total_memory_gb <= gpu.memory_gb * (1.0 - RESERVED_SHARE);
        let hours = flops / (peak * mfu) / SECONDS_PER_HOUR;
        OnGpu { name: gpu.name, memory_gb: gpu.memory_gb, peak_tflops: peak / 1e12, hours: fits.then_some(hours) }
    };
    Plan {
        n_parameters,
        n_tokens,
        steps,
        flops,
        memory_gb: memory.parts().map(|(name, bytes)| (name, bytes as f64 / BYTES_PER_GB)).to_vec(),
        total_memory_gb,
        loss: [a.min(b), a.max(b)],
        mfu,
        gpus: gpus.iter().map(on).collect(),
    }
}
// ANCHOR_END: plan

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (n, d) = (self.n_parameters as f64, self.n_tokens as f64);
        writeln!(
            f,
            "{:.0} M parameters, {:.2} B tokens ({:.1} a parameter) in {} steps",
            n / 1e6,
            d / 1e9,
            d / n,
            self.steps
        )?;
        let parts: Vec<String> = self.memory_gb.iter().map(|(name, gb)| format!("{name} {gb:.2}")).collect();
        writeln!(f, "memory  {:.1} GB: {}", self.total_memory_gb, parts.join(", "))?;
        writeln!(f, "work    {:.2e} FLOP", self.flops)?;
        writeln!(
            f,
            "loss    {:.2} to {:.2} nats a token, by two published fits on their text and vocabulary",
            self.loss[0], self.loss[1]
        )?;
        write!(f, "GPU        | memory GB | bf16 TFLOP/s | hours at {:.0}% MFU", 100.0 * self.mfu)?;
        for gpu in &self.gpus {
            let hours = gpu.hours.map_or("does not fit".to_string(), |hours| format!("{hours:.0}"));
            write!(f, "\n{:<10} | {:>9.0} | {:>12.0} | {hours:>12}", gpu.name, gpu.memory_gb, gpu.peak_tflops)?;
        }
        Ok(())
    }
}
