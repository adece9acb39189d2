//! Generation: what the prompts take, read at once, and what each step after them takes, where that time goes, and how near it is to the speed of memory.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use attention::KeyValueStore;
use candle_core::{Device, Tensor};
use clap::ValueEnum;
use generation::{BatchGenerator, Event, Limits, Outcome, Request, Sampler, Sampling};
use kernels::quantized::Blocks;
use pretraining::median;
use serde::Serialize;
use transformer::{
    Architecture, AttentionBranch, AttentionLayout, FeedForwardBranch, ModelConfig, Ops, Transformer, Weight,
    n_parameters,
};

use super::peak::peak_bandwidth;
use super::peak_resident_mb;
use crate::compute::{ComputeConfig, Quantize};

/// Sizes of published models, for a benchmark without their weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ModelShape {
    /// SmolLM2-135M
    #[value(name = "smollm2-135m")]
    SmolLm2Of135M,
    /// SmolLM2-360M
    #[value(name = "smollm2-360m")]
    SmolLm2Of360M,
}

impl ModelShape {
    fn config(self) -> ModelConfig {
        let (d_model, n_layers, n_heads, n_kv_heads, d_ff) = match self {
            Self::SmolLm2Of135M => (576, 30, 9, 3, 1536),
            Self::SmolLm2Of360M => (960, 32, 15, 5, 2560),
        };
        ModelConfig {
            vocab_size: 49_152,
            d_model,
            n_layers,
            n_heads,
            n_kv_heads,
            d_ff,
            max_seq_len: 8_192,
            rope_theta: 100_000.0,
            norm_eps: 1e-5,
            architecture: Architecture::LLAMA,
            tie_embeddings: true,
            init_std: 0.04,
        }
    }
}

/// What to generate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeWork {
    /// Texts side by side.
    pub batch: usize,
    /// Tokens of each prompt.
    pub prompt_tokens: usize,
    /// Tokens of each text after the one that comes with its prompt.
    pub n_tokens: usize,
    /// In which type matrices are held, if not in f32.
    pub quantize: Option<Quantize>,
}

/// What generation took.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DecodeBench {
    /// Parameters of the model.
    pub n_parameters: usize,
    /// Threads.
    pub threads: usize,
    /// Texts side by side.
    pub batch: usize,
    /// Tokens of each prompt.
    pub prompt_tokens: usize,
    /// Tokens of all prompts that were read a second, all at once.
    pub prompt_tokens_per_s: f64,
    /// Tokens of each text that were timed: steps.
    pub n_tokens: usize,
    /// Median milliseconds a step, in which each text grows by a token.
    pub token_ms: f64,
    /// Tokens of all texts a second at that.
    pub tokens_per_s: f64,
    /// Milliseconds a step, on average, in attention branches, feed-forward branches, the head, and all the rest.
    pub parts_ms: BTreeMap<&'static str, f64>,
    /// Megabytes that a step reads: all weights, and of each text half of the cache that the last one reads.
    pub mb_per_token: f64,
    /// Gigabytes a second that they come in at.
    pub gb_per_s: f64,
    /// What a copy of memory reaches on this machine, in gigabytes a second.
    pub copy_gb_per_s: f64,
    /// The most memory held, in megabytes.
    pub peak_resident_mb: Option<f64>,
    /// What was generated in the first text.
    pub tokens: Vec<u32>,
}

/// Times the work with the model of a folder.
///
/// # Errors
/// If the folder holds no model, or the model cannot take so many tokens.
pub fn decode_folder(folder: &Path, compute: ComputeConfig, work: DecodeWork) -> Result<DecodeBench> {
    if !folder.join("config.json").is_file() {
        let message = format!("{} holds no model (no config.json); --shape needs none", folder.display());
        return Err(crate::request::WrongRequest::new(message).into());
    }
    decode(Transformer::load(folder, &Device::Cpu)?, compute, work)
}

/// The same with random weights of a published model's shape.
///
/// # Errors
/// If the model cannot take so many tokens.
pub fn decode_shape(shape: ModelShape, compute: ComputeConfig, work: DecodeWork) -> Result<DecodeBench> {
    decode(Transformer::new(shape.config(), 0, &Device::Cpu)?, compute, work)
}

fn decode(model: Transformer, compute: ComputeConfig, work: DecodeWork) -> Result<DecodeBench> {
    let DecodeWork { batch, prompt_tokens, n_tokens, quantize } = work;
    let room = model.config().max_seq_len - 1; // One comes with the prompt.
    if n_tokens == 0 || prompt_tokens == 0 || prompt_tokens + n_tokens > room {
        let message = format!(
            "--prompt-tokens {prompt_tokens} and --tokens {n_tokens}: both at least 1, together they may be {room}, the model's longest sequence"
        );
        return Err(crate::request::WrongRequest::new(message).into());
    }
    let clock = Clock::default();
    let timed = |ops| Arc::new(Timed { ops, clock: clock.clone() });
    let (model, weight_bytes) = match quantize {
        None => {
            let bytes = bytes_of_weights(&model, |_name| None);
            let model = compute.place(&model)?;
            (model.with_ops(timed(model.shared_ops()))?.for_inference()?, bytes)
        }
        Some(quantize) => {
            let ops = compute.quantize(&model, quantize)?;
            let bytes = bytes_of_weights(&model, |name| ops.blocks(name).map(Blocks::n_bytes));
            (model.with_kept_weights(timed(Arc::new(ops.clone())), |name| ops.keeps(name))?, bytes)
        }
    };
    let prompt_s = reading_s(&model, work)?;
    let mut generator = generator(&model, work)?;
    // The first comes with the prompt.
    let mut tokens = vec![first_text(&generator.step()?)?];
    clock.reset();
    let mut times = Vec::with_capacity(n_tokens);
    for _ in 0..n_tokens {
        let started = Instant::now();
        let events = generator.step()?;
        times.push(started.elapsed().as_secs_f64());
        tokens.push(first_text(&events)?);
    }
    let peak_resident_mb = peak_resident_mb();
    let token_s = median(&times).context("no token was generated")?;
    let bytes = (weight_bytes + bytes_of_cache(model.config(), batch, times.len())) as f64;
    Ok(DecodeBench {
        n_parameters: n_parameters(model.config()),
        threads: rayon::current_num_threads(),
        batch,
        prompt_tokens,
        prompt_tokens_per_s: (batch * prompt_tokens) as f64 / prompt_s,
        n_tokens: times.len(),
        token_ms: token_s * 1e3,
        tokens_per_s: batch as f64 / token_s,
        parts_ms: clock.parts_ms(times.iter().sum(), times.len()),
        mb_per_token: bytes / 1e6,
        gb_per_s: bytes / token_s / 1e9,
        copy_gb_per_s: peak_bandwidth() / 1e9,
        peak_resident_mb,
        tokens,
    })
}

/// The prompts are of different tokens, as texts are, and the same in every run.
fn generator(model: &Transformer, work: DecodeWork) -> Result<BatchGenerator<'_>> {
    let vocab_size = model.config().vocab_size;
    let limits = Limits { max_tokens: work.n_tokens + 1, stop_tokens: Vec::new() };
    let request = |text: usize| {
        let token = |i: usize| (i * 7919 + text * 131) % vocab_size;
        let prompt = (0..work.prompt_tokens).map(|i| token(i) as u32).collect();
        Ok(Request { prompt, sampler: Sampler::new(Sampling::Greedy, 0)?, limits: limits.clone() })
    };
    Ok(BatchGenerator::new(model, (0..work.batch).map(request).collect::<Result<_>>()?)?)
}

/// The token that a step gave the first text.
fn first_text(events: &[Event]) -> Result<u32> {
    let token = events.iter().find_map(|event| match event {
        Event { text: 0, outcome: Outcome::Token { id, .. } } => Some(*id),
        _ => None,
    });
    token.context("no token was generated")
}

/// Seconds that the prompts take; the second time, when all buffers are there.
fn reading_s(model: &Transformer, work: DecodeWork) -> Result<f64> {
    let mut last = 0.0;
    for _ in 0..2 {
        let mut generator = generator(model, work)?;
        let started = Instant::now();
        generator.step()?;
        last = started.elapsed().as_secs_f64();
    }
    Ok(last)
}

/// Bytes of all weights that a step reads, of which `quantized` knows some.
fn bytes_of_weights(model: &Transformer, quantized: impl Fn(&str) -> Option<usize>) -> usize {
    // The embedding is looked up, not read; a tied head reads it.
    let is_read = |name: &str| name != "embedding" || model.config().tie_embeddings;
    let weights = model.parameters().iter().filter(|(name, _)| is_read(name));
    weights.map(|(name, var)| quantized(name).unwrap_or(size_of::<f32>() * var.elem_count())).sum()
}

/// Bytes of keys and values that one of `n_tokens` steps reads, on average.
fn bytes_of_cache(config: &ModelConfig, batch: usize, n_tokens: usize) -> usize {
    size_of::<f32>() * batch * config.n_layers * 2 * config.kv_width() * n_tokens.div_ceil(2)
}

/// Time by part.
#[derive(Debug, Clone, Default)]
struct Clock(Arc<Mutex<BTreeMap<&'static str, Duration>>>);

impl Clock {
    fn time<R>(&self, part: &'static str, work: impl FnOnce() -> R) -> R {
        let started = Instant::now();
        let result = work();
        let elapsed = started.elapsed();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(part).or_default() += elapsed;
        result
    }

    /// Back to nothing.
    fn reset(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Milliseconds a step of each part, and of what is in none.
    fn parts_ms(&self, total_s: f64, n_steps: usize) -> BTreeMap<&'static str, f64> {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_step = |seconds: f64| 1e3 * seconds / n_steps as f64;
        let mut parts: BTreeMap<_, _> = parts.iter().map(|(part, time)| (*part, of_step(time.as_secs_f64()))).collect();
        let rest = of_step(total_s) - parts.values().sum::<f64>();
        parts.insert("rest", rest);
        parts
    }
}

/// Operations with a clock. The model calls one after the other, so their times add up.
#[derive(Debug)]
struct Timed {
    ops: Arc<dyn Ops>,
    clock: Clock,
}

impl Ops for Timed {
    fn embedding(&self, tokens: &Tensor, weight: &Weight) -> candle_core::Result<Tensor> {
        self.ops.embedding(tokens, weight)
    }

    /// Outside the branches, the head is the only linear layer.
    fn linear(&self, x: &Tensor, weight: &Weight) -> candle_core::Result<Tensor> {
        self.clock.time("head", || self.ops.linear(x, weight))
    }

    fn rms_norm(&self, x: &Tensor, weight: &Weight, eps: f64) -> candle_core::Result<Tensor> {
        self.ops.rms_norm(x, weight, eps)
    }

    fn attention(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        layout: AttentionLayout,
        store: &mut dyn KeyValueStore,
    ) -> candle_core::Result<Tensor> {
        self.ops.attention(q, k, v, layout, store)
    }

    fn swiglu(&self, gate: &Tensor, up: &Tensor) -> candle_core::Result<Tensor> {
        self.ops.swiglu(gate, up)
    }

    fn target_log_probs(&self, hidden: &Tensor, head: &Weight, targets: &Tensor) -> candle_core::Result<Tensor> {
        self.ops.target_log_probs(hidden, head, targets)
    }

    fn attention_branch(
        &self,
        x: &Tensor,
        branch: &AttentionBranch,
        eps: f64,
        layout: AttentionLayout,
        store: &mut dyn KeyValueStore,
    ) -> candle_core::Result<Tensor> {
        self.clock.time("attention branches", || self.ops.attention_branch(x, branch, eps, layout, store))
    }

    fn feed_forward_branch(&self, x: &Tensor, branch: &FeedForwardBranch, eps: f64) -> candle_core::Result<Tensor> {
        self.clock.time("feed-forward branches", || self.ops.feed_forward_branch(x, branch, eps))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::OpsKind;

    fn config(tie_embeddings: bool) -> ModelConfig {
        ModelConfig {
            vocab_size: 40,
            d_model: 16,
            n_layers: 2,
            n_heads: 4,
            n_kv_heads: 2,
            d_ff: 24,
            max_seq_len: 16,
            rope_theta: 10_000.0,
            norm_eps: 1e-5,
            architecture: Architecture::LLAMA,
            tie_embeddings,
            init_std: 0.3,
        }
    }

    #[test]
    fn both_operations_generate_the_same_and_the_parts_are_the_whole() {
        let model = Transformer::new(config(true), 0, &Device::Cpu).unwrap();
        let work = DecodeWork { batch: 1, prompt_tokens: 4, n_tokens: 9, quantize: None };
        let run = |ops, work| decode(model.clone(), ComputeConfig { ops, ..ComputeConfig::default() }, work).unwrap();
        let (fused, reference) = (run(OpsKind::Fused, work), run(OpsKind::Reference, work));
        assert_eq!(fused.tokens, reference.tokens);
        assert_eq!(fused.tokens.len(), 10);
        // Texts beside it do not change the first.
        let six = run(OpsKind::Fused, DecodeWork { batch: 6, ..work });
        assert_eq!((six.batch, &six.tokens), (6, &fused.tokens));
        let parts: Vec<_> = fused.parts_ms.keys().copied().collect();
        assert_eq!(parts, ["attention branches", "feed-forward branches", "head", "rest"]);
        assert!(fused.parts_ms.values().all(|ms| *ms > 0.0), "{fused:?}");
        let too_long = DecodeWork { n_tokens: 13, ..work };
        let message = decode(model, ComputeConfig::default(), too_long).unwrap_err().to_string();
        assert!(
            message.contains("--prompt-tokens 4 and --tokens 13: both at least 1, together they may be 15"),
            "{message}"
        );
    }

    #[test]
    fn a_step_reads_every_weight_but_the_looked_up_embedding() {
        for is_tied in [true, false] {
            let model = Transformer::new(config(is_tied), 0, &Device::Cpu).unwrap();
            // The head is read either way; a table that only looks up rows is not.
            let in_f32 = 4 * n_parameters(&config(true));
            assert_eq!(bytes_of_weights(&model, |_name| None), in_f32);
            let table = if is_tied { "embedding" } else { "head" };
            let quantized = bytes_of_weights(&model, |name| ["embedding", table].contains(&name).then_some(100));
            assert_eq!(quantized, in_f32 - 4 * 40 * 16 + 100);
        }
        // Two layers of keys and values of width 8, of 5 tokens on average, of each of 3 texts.
        assert_eq!(bytes_of_cache(&config(true), 3, 10), 4 * 3 * 2 * 2 * 8 * 5);
    }

    #[test]
    fn shapes_have_as_many_parameters_as_their_names_say() {
        for (shape, millions) in [(ModelShape::SmolLm2Of135M, 134.5), (ModelShape::SmolLm2Of360M, 361.8)] {
            let config = shape.config();
            config.validate().unwrap();
            assert!((n_parameters(&config) as f64 / 1e6 - millions).abs() < 0.1, "{shape:?}");
        }
    }
}
