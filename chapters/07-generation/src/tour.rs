//! The chapter's experiment: what temperature and the cuts do to one distribution, that a cache changes the work and not the result, and
//! what it costs.

use std::io::Write;

use attention::NoStore;
use candle_core::{Device, Tensor};
use tensors::difference;
use transformer::{Architecture, ModelConfig, Transformer, n_parameters};

use crate::{Cuts, KvCache, Limits, Sampler, Sampling, candidates, generate};

/// Prints the tour. Takes a second or two.
///
/// # Errors
/// If writing fails.
pub fn tour(out: &mut dyn Write) -> anyhow::Result<()> {
    temperature(out)?;
    cuts(out)?;
    cached_equals_whole(out)?;
    cost(out)?;
    seeds(out)?;
    Ok(())
}

const WORDS: [&str; 6] = ["blue", "green", "red", "white", "seven", "the"];
const LOGITS: [f32; 6] = [3.0, 2.2, 2.0, 1.0, -1.0, -2.0];

// ANCHOR: temperature
fn temperature(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== temperature ==")?;
    writeln!(out, "The doors are ...{}", WORDS.map(|word| format!("{word:>8}")).concat())?;
    for temperature in [0.25, 1.0, 2.0] {
        let mut row = candidates(&LOGITS, temperature, Cuts::NONE);
        row.sort_by_key(|(token, _)| *token);
        let cells: String = row.iter().map(|(_, p)| format!("{p:>8.3}")).collect();
        writeln!(out, "temperature {temperature:<5}{cells}")?;
    }
    Ok(())
}
// ANCHOR_END: temperature

fn cuts(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== top-k and top-p ==")?;
    for (top_k, top_p) in [(None, 1.0), (Some(2), 1.0), (None, 0.9), (None, 0.5)] {
        let kept: Vec<&str> =
            candidates(&LOGITS, 1.0, Cuts { top_k, top_p, min_p: 0.0 }).iter().map(|(token, _)| WORDS[*token as usize]).collect();
        let top_k = top_k.map_or("all".to_string(), |k: usize| k.to_string());
        writeln!(out, "top_k {top_k:>3}, top_p {top_p:<3}: {}", kept.join(", "))?;
    }
    Ok(())
}

fn config() -> ModelConfig {
    ModelConfig {
        vocab_size: 256,
        d_model: 64,
        n_layers: 3,
        n_heads: 4,
        n_kv_heads: 2,
        d_ff: 172,
        max_seq_len: 256,
        rope_theta: 10_000.0,
        norm_eps: 1e-5,
        architecture: Architecture::LLAMA,
        tie_embeddings: true,
        init_std: 0.1,
    }
}

// ANCHOR: cached
fn cached_equals_whole(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== with a cache and without ==")?;
    let model = Transformer::new(config(), 0, &Device::Cpu)?.for_inference()?;
    let ids: Vec<u32> = (0..40).map(|i| (i * i * 7 + 3 * i) % 256).collect();
    let mut cache = KvCache::new(&model, 1, 40)?;
    let (mut largest, mut tokens_cached, mut tokens_whole) = (0f64, 0, 0);
    for end in 1..=ids.len() {
        let new = Tensor::from_slice(&ids[end - 1..end], (1, 1), &Device::Cpu)?;
        let all = Tensor::from_slice(&ids[..end], (1, end), &Device::Cpu)?;
        let cached = model.next_logits(&new, &mut cache)?;
        let whole = model.next_logits(&all, &mut NoStore)?;
        largest = largest.max(difference(&cached, &whole)?.max_abs);
        tokens_cached += 1;
        tokens_whole += end;
    }
    let verdict = if largest < 1e-4 { "below 1e-4" } else { "TOO LARGE" };
    writeln!(out, "40 steps: difference of the logits {verdict}")?;
    writeln!(out, "tokens through the model: {tokens_cached} with the cache, {tokens_whole} without")?;
    Ok(())
}
// ANCHOR_END: cached

fn cost(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== what the cache costs ==")?;
    let llama_3_8b = ModelConfig {
        vocab_size: 128_256,
        d_model: 4_096,
        n_layers: 32,
        n_heads: 32,
        n_kv_heads: 8,
        d_ff: 14_336,
        max_seq_len: 8_192,
        tie_embeddings: false,
        ..config()
    };
    const BYTES_BF16: usize = 2;
    let per_token = 2 * llama_3_8b.n_layers * llama_3_8b.kv_width() * BYTES_BF16;
    let gigabytes = |bytes: usize| bytes as f64 / 1e9;
    writeln!(out, "Llama-3-8B in bf16: weights {:.1} GB", gigabytes(n_parameters(&llama_3_8b) * BYTES_BF16))?;
    writeln!(out, "cache: {per_token} bytes a token, {:.2} GB for 8192 tokens", gigabytes(per_token * 8_192))?;
    writeln!(out, "32 such conversations: {:.1} GB", gigabytes(per_token * 8_192 * 32))?;
    Ok(())
}

fn seeds(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== seeds ==")?;
    let model = Transformer::new(config(), 0, &Device::Cpu)?.for_inference()?;
    let limits = Limits { max_tokens: 8, stop_tokens: Vec::new() };
    for (name, temperature, seed) in [("greedy", 0.0, 1), ("seed 1", 1.0, 1), ("seed 1", 1.0, 1), ("seed 2", 1.0, 2)] {
        let sampler = Sampler::new(Sampling::at_temperature(temperature), seed)?;
        writeln!(out, "{name}: {:?}", generate(&model, &[1, 2, 3], sampler, limits.clone())?)?;
    }
    Ok(())
}
