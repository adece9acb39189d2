//! Generation with a model folder, one token after another, batch 1.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use candle_core::Device;
use generation::{Generator, Limits, Sampler, Sampling};
use pretraining::median;
use serde::Serialize;
use transformer::{Transformer, n_parameters};

use super::peak::peak_bandwidth;
use super::peak_resident_mb;
use crate::compute::ComputeConfig;

/// What generation took.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DecodeBench {
    /// Parameters of the model.
    pub n_parameters: usize,
    /// Threads.
    pub threads: usize,
    /// Tokens generated.
    pub n_tokens: usize,
    /// Median milliseconds a token.
    pub token_ms: f64,
    /// Tokens a second at that.
    pub tokens_per_s: f64,
    /// Gigabytes a second that the weights come in at: every token reads them all.
    pub weights_gb_per_s: f64,
    /// What a copy of memory reaches on this machine, in gigabytes a second.
    pub copy_gb_per_s: f64,
    /// The most memory held, in megabytes.
    pub peak_resident_mb: Option<f64>,
    /// What was generated.
    pub tokens: Vec<u32>,
}

/// Reads a model folder and times `n_tokens` tokens after a prompt of one.
///
/// # Errors
/// If the folder holds no model, or the model cannot take so many tokens.
pub fn decode(folder: &Path, compute: ComputeConfig, n_tokens: usize) -> Result<DecodeBench> {
    let model = Transformer::load(folder, &Device::Cpu)?;
    let room = model.config().max_seq_len - 1;
    if n_tokens == 0 || n_tokens > room {
        let message = format!("--tokens {n_tokens}: between 1 and {room} fit into the model's longest sequence");
        return Err(crate::request::WrongRequest::new(message).into());
    }
    let model = compute.place(&model)?.for_inference()?;
    let limits = Limits { max_tokens: n_tokens, stop_tokens: Vec::new() };
    let mut generator = Generator::new(&model, &[0], Sampler::new(Sampling::Greedy, 0)?, limits)?;
    let (mut times, mut tokens) = (Vec::with_capacity(n_tokens), Vec::with_capacity(n_tokens));
    loop {
        let started = Instant::now();
        let Some(token) = generator.next() else { break };
        tokens.push(token?);
        times.push(started.elapsed().as_secs_f64());
    }
    let peak_resident_mb = peak_resident_mb();
    let token_s = median(&times).context("no token was generated")?;
    let n_tokens = times.len();
    let config = model.config();
    // The embedding is looked up, not read; a tied head reads it.
    let head_twice = if config.tie_embeddings { 0 } else { config.vocab_size * config.d_model };
    let bytes = (n_parameters(config) - head_twice) * size_of::<f32>();
    Ok(DecodeBench {
        n_parameters: n_parameters(config),
        threads: rayon::current_num_threads(),
        n_tokens,
        token_ms: token_s * 1e3,
        tokens_per_s: 1.0 / token_s,
        weights_gb_per_s: bytes as f64 / token_s / 1e9,
        copy_gb_per_s: peak_bandwidth() / 1e9,
        peak_resident_mb,
        tokens,
    })
}
