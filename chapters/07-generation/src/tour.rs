//! The chapter's experiment: what temperature, cuts and penalties do to one distribution, that a cache changes the work and not the result, what
//! it costs, and that texts side by side become what each becomes alone.

use std::io::Write;

use attention::NoStore;
use candle_core::{Device, Tensor};
use tensors::difference;
use transformer::{Architecture, ModelConfig, Transformer, n_parameters};

use crate::{
    BatchGenerator, Cuts, History, KvCache, Limits, LogProbs, Outcome, Penalties, Request, Sampler, Sampling,
    StopStrings, candidates, generate,
};

/// Prints the tour. Takes a second or two.
///
/// # Errors
/// If writing fails.
pub fn tour(out: &mut dyn Write) -> anyhow::Result<()> {
    temperature(out)?;
    cuts(out)?;
    penalties(out)?;
    log_probs(out)?;
    seeds(out)?;
    stop_strings(out)?;
    cached_equals_whole(out)?;
    cost(out)?;
    side_by_side(out)?;
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

// ANCHOR: cuts
fn cuts(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== cuts ==")?;
    let all = Cuts::NONE;
    for (name, cuts) in [
        ("none", all),
        ("top_k 2", Cuts { top_k: Some(2), ..all }),
        ("top_p 0.9", Cuts { top_p: 0.9, ..all }),
        ("top_p 0.5", Cuts { top_p: 0.5, ..all }),
        ("min_p 0.1", Cuts { min_p: 0.1, ..all }),
        ("min_p 0.4", Cuts { min_p: 0.4, ..all }),
    ] {
        let kept = |temperature| {
            let kept = candidates(&LOGITS, temperature, cuts);
            kept.iter().map(|(token, _)| WORDS[*token as usize]).collect::<Vec<_>>().join(" ")
        };
        writeln!(out, "{name:<9} | T = 1: {:<31} | T = 2: {}", kept(1.0), kept(2.0))?;
    }
    Ok(())
}
// ANCHOR_END: cuts

// ANCHOR: tour_penalties
fn penalties(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== penalties ==")?;
    // The prompt has "the"; the answer so far is "blue blue green".
    let mut history = History::default();
    history.add_prompt(&[5]);
    [0, 0, 1].into_iter().for_each(|token| history.add_generated(token));
    writeln!(out, "logits after ...  {}", WORDS.map(|word| format!("{word:>8}")).concat())?;
    for (name, penalties) in [
        ("no penalty", Penalties::NONE),
        ("repetition 1.5", Penalties { repetition: 1.5, ..Penalties::NONE }),
        ("presence 0.5", Penalties { presence: 0.5, ..Penalties::NONE }),
        ("frequency 0.5", Penalties { frequency: 0.5, ..Penalties::NONE }),
    ] {
        let mut logits = LOGITS;
        penalties.apply(&mut logits, &history);
        writeln!(out, "{name:<18}{}", logits.map(|logit| format!("{logit:>8.2}")).concat())?;
    }
    Ok(())
}
// ANCHOR_END: tour_penalties

fn log_probs(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== log-probabilities ==")?;
    for token in [0, 4] {
        let LogProbs { of_token, top } = LogProbs::new(&LOGITS, token, 2);
        let others: Vec<String> =
            top.iter().map(|(token, log_prob)| format!("{} {log_prob:.3}", WORDS[*token as usize])).collect();
        writeln!(out, "{:<5} {of_token:.3}; most likely: {}", WORDS[token as usize], others.join(", "))?;
    }
    Ok(())
}

fn stop_strings(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== stop strings ==")?;
    let mut stops = StopStrings::new(vec!["\nUser:".to_string()])?;
    for piece in ["It is", " red.\n", "Use", " it.", "\n", "Us", "er: And"] {
        let shown = stops.push(piece);
        let state = if stops.has_stopped() { ", and stops" } else { "" };
        writeln!(out, "{piece:>9?} comes, {shown:?} is shown{state}")?;
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

// ANCHOR: side_by_side
fn side_by_side(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== side by side ==")?;
    let model = Transformer::new(config(), 0, &Device::Cpu)?.for_inference()?;
    let prompts: [&[u32]; 3] = [&[1, 2, 3, 4, 5, 6], &[7], &[8, 9, 10]];
    let limits = |max_tokens| Limits { max_tokens, stop_tokens: Vec::new() };
    let requests = || {
        prompts.iter().zip([3, 6, 4]).map(|(prompt, max_tokens)| {
            let sampler = Sampler::new(Sampling::at_temperature(1.0), 1)?;
            Ok(Request { prompt: prompt.to_vec(), sampler, limits: limits(max_tokens) })
        })
    };
    let mut batch = BatchGenerator::new(&model, requests().collect::<candle_core::Result<_>>()?)?;
    let mut texts = [const { Vec::new() }; 3];
    let mut n_steps = 0;
    loop {
        let events = batch.step()?;
        if events.is_empty() {
            break;
        }
        n_steps += usize::from(events.iter().any(|event| matches!(event.outcome, Outcome::Token { .. })));
        for event in events {
            if let Outcome::Token { id, .. } = event.outcome {
                texts[event.text].push(id);
            }
        }
    }
    for (request, text) in requests().zip(&texts) {
        let Request { prompt, sampler, limits } = request?;
        let verdict = if generate(&model, &prompt, sampler, limits)? == *text { "as alone" } else { "NOT AS ALONE" };
        writeln!(out, "{} tokens of prompt: {} tokens, {verdict}", prompt.len(), text.len())?;
    }
    writeln!(out, "passes through the model: {n_steps} together, {} alone", texts.iter().map(Vec::len).sum::<usize>())?;
    Ok(())
}
// ANCHOR_END: side_by_side
