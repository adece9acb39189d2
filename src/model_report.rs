//! What a model is and costs: its parts with parameters and FLOPs, and the memory of training and of generation.

use std::fmt;

use kernels::training_memory::{StepSizes, TrainingMemory};
use serde::Serialize;
use transformer::accounting::{PartCost, cache_numbers_per_token, costs_by_part, training_state_bytes};
use transformer::hugging_face::Family;
use transformer::{ModelConfig, flops_per_token, n_parameters};

/// Bytes of a number in f32.
const BYTES_F32: usize = 4;

/// The report.
#[derive(Debug, Clone, Serialize)]
pub struct ModelReport {
    /// The family whose files can hold it, if there is one.
    pub family: Option<&'static str>,
    /// Sizes and parts.
    pub config: ModelConfig,
    /// Parameters and FLOPs by part.
    pub parts: Vec<PartCost>,
    /// All parameters.
    pub n_parameters: usize,
    /// Parameters that were counted in a folder's weights, if it was a folder's.
    pub n_counted: Option<usize>,
    /// Tokens in a sequence.
    pub seq_len: usize,
    /// FLOPs of a token's forward pass.
    pub forward_flops_per_token: f64,
    /// FLOPs of a token's backward pass.
    pub backward_flops_per_token: f64,
    /// Bytes of f32 weights, gradients and AdamW's moments.
    pub training_state_bytes: usize,
    /// Sequences in a batch.
    pub batch: usize,
    /// Bytes of a training step on the CPU's kernels, by what they are for.
    pub training_bytes: Vec<(&'static str, usize)>,
    /// Bytes that an f32 cache of keys and values takes for each token.
    pub cache_bytes_per_token: usize,
}

impl ModelReport {
    /// Of a configuration, for training on sequences as `step` says.
    pub fn of(config: &ModelConfig, step: &StepSizes) -> Self {
        let StepSizes { batch, seq_len, .. } = *step;
        let flops = flops_per_token(config, seq_len);
        Self {
            family: Family::of(config).ok().map(|family| family.names().0),
            config: config.clone(),
            parts: costs_by_part(config, seq_len),
            n_parameters: n_parameters(config),
            n_counted: None,
            seq_len,
            forward_flops_per_token: flops / 3.0,
            backward_flops_per_token: flops * 2.0 / 3.0,
            training_state_bytes: training_state_bytes(config),
            batch,
            training_bytes: TrainingMemory::of(config, step).parts().to_vec(),
            cache_bytes_per_token: cache_numbers_per_token(config) * BYTES_F32,
        }
    }
}

impl fmt::Display for ModelReport {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let ModelConfig { vocab_size, d_model, n_layers, n_heads, n_kv_heads, d_ff, max_seq_len, .. } = self.config;
        writeln!(f, "{}", self.family.unwrap_or("parts that no family of Hugging Face's has together"))?;
        writeln!(
            f,
            "d_model {d_model}, {n_layers} layers, {n_heads} heads of {} ({n_kv_heads} for keys and values), d_ff {d_ff}, \
             vocabulary {vocab_size}, up to {max_seq_len} tokens",
            self.config.head_dim()
        )?;
        let forward = self.forward_flops_per_token;
        writeln!(f, "\n{:<13} {:>13} {:>6} {:>16} {:>6}", "part", "parameters", "", "MFLOP a token", "")?;
        for part in &self.parts {
            writeln!(
                f,
                "{:<13} {:>13} {:>5.1}% {:>16.3} {:>5.1}%",
                part.part,
                part.n_parameters,
                100.0 * part.n_parameters as f64 / self.n_parameters as f64,
                part.forward_flops_per_token / 1e6,
                100.0 * part.forward_flops_per_token / forward
            )?;
        }
        writeln!(f, "{:<13} {:>13} {:>6} {:>16.3}", "all", self.n_parameters, "", forward / 1e6)?;
        if let Some(n_counted) = self.n_counted {
            writeln!(f, "counted in the weights: {n_counted}")?;
        }
        writeln!(
            f,
            "\na token of {} at once: forward {:.3} GFLOP, backward {:.3}, together {:.3}",
            self.seq_len,
            forward / 1e9,
            self.backward_flops_per_token / 1e9,
            (forward + self.backward_flops_per_token) / 1e9
        )?;
        writeln!(f, "\nmemory, f32")?;
        let line = |f: &mut fmt::Formatter, what: &str, bytes: usize| {
            writeln!(f, "{what:<46} {:>11.3} GB", bytes as f64 / 1e9)
        };
        line(f, "weights", self.n_parameters * BYTES_F32)?;
        line(f, "weights, gradients and two moments", self.training_state_bytes)?;
        let total = self.training_bytes.iter().map(|(_, bytes)| bytes).sum();
        line(f, &format!("a training step of {} x {} tokens", self.batch, self.seq_len), total)?;
        self.training_bytes.iter().try_for_each(|(part, bytes)| line(f, &format!("  {part}"), *bytes))?;
        line(f, &format!("cache of keys and values, {max_seq_len} tokens"), self.cache_bytes_per_token * max_seq_len)?;
        write!(f, "{:<46} {:>8.1} KB", "  a token", self.cache_bytes_per_token as f64 / 1e3)
    }
}
