//! Texts of different lengths side by side, on kernels: what each becomes alone, and what the reference operations make of it.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use candle_core::{Device, Tensor};
use generation::{BatchGenerator, KvCache, Limits, Outcome, Request, Sampler, Sampling, generate};
use kernels::fallbacks::Fallbacks;
use kernels::{Activations, Fused, Isa, Precision};
use tensors::difference;
use transformer::{Architecture, ModelConfig, Transformer};

const CPU: Device = Device::Cpu;
const LENGTHS: [usize; 4] = [17, 40, 1, 40];

fn model(architecture: Architecture) -> Transformer {
    let config = ModelConfig {
        vocab_size: 61,
        d_model: 60,
        n_layers: 3,
        n_heads: 6,
        n_kv_heads: 2,
        d_ff: 41,
        max_seq_len: 80,
        rope_theta: 10_000.0,
        norm_eps: 1e-5,
        architecture,
        tie_embeddings: true,
        init_std: 0.2,
    };
    Transformer::new(config, 1, &CPU).unwrap()
}

fn prompt(n: usize, salt: u32) -> Vec<u32> {
    (0..n as u32).map(|i| (i * i * 17 + 5 * i + salt) % 61).collect()
}

fn requests(max_tokens: usize) -> Vec<Request> {
    let sampler = Sampler::new(Sampling::Greedy, 0).unwrap();
    let limits = Limits { max_tokens, stop_tokens: vec![] };
    let prompts = LENGTHS.iter().zip(0..).map(|(n, salt)| prompt(*n, salt));
    prompts.map(|prompt| Request { prompt, sampler: sampler.clone(), limits: limits.clone() }).collect()
}

fn side_by_side(model: &Transformer, requests: Vec<Request>) -> Vec<Vec<u32>> {
    let mut texts = vec![Vec::new(); requests.len()];
    let mut batch = BatchGenerator::new(model, requests).unwrap();
    loop {
        let events = batch.step().unwrap();
        if events.is_empty() {
            return texts;
        }
        for event in events {
            if let Outcome::Token { id, .. } = event.outcome {
                texts[event.text].push(id);
            }
        }
    }
}

#[test]
fn texts_side_by_side_are_those_of_each_alone_and_of_the_reference() {
    for architecture in [
        Architecture::LLAMA,
        Architecture { sliding_window: Some(9), ..Architecture::LLAMA },
        Architecture::GPT2,
        Architecture::QWEN2,
        Architecture::QWEN3,
    ] {
        let model = model(architecture);
        let reference = model.for_inference().unwrap();
        for &isa in Isa::available() {
            let fallbacks = Fallbacks::default();
            let ops = Fused::new(Precision::F32, Activations::Keep).with_isa(isa).with_fallbacks(fallbacks.clone());
            let fused = model.with_ops(Arc::new(ops)).unwrap().for_inference().unwrap();
            let together = side_by_side(&fused, requests(30));
            assert_eq!(together, side_by_side(&reference, requests(30)), "{architecture:?} at {isa}");
            // Windows, padding and learnt positions are no reason to leave the attention kernels.
            assert!(fallbacks.seen().iter().all(|entry| !entry.starts_with("attention:")), "{:?}", fallbacks.seen());
            for (Request { prompt, sampler, limits }, text) in requests(30).into_iter().zip(together) {
                assert_eq!(generate(&fused, &prompt, sampler, limits).unwrap(), text, "{architecture:?} at {isa}");
            }
        }
    }
}

#[test]
fn logits_side_by_side_are_those_of_each_alone() {
    let fused = Fused::new(Precision::F32, Activations::Keep);
    let model = model(Architecture::LLAMA).with_ops(Arc::new(fused)).unwrap().for_inference().unwrap();
    let (longest, n_decoded) = (40, 8);
    let texts: Vec<Vec<u32>> = LENGTHS.iter().zip(0..).map(|(n, salt)| prompt(n + n_decoded, salt)).collect();
    let padding: Vec<usize> = LENGTHS.iter().map(|n| longest - n).collect();
    let mut together = KvCache::with_padding(&model, padding.clone(), longest + n_decoded).unwrap();
    let mut alone: Vec<KvCache> = LENGTHS.iter().map(|n| KvCache::new(&model, 1, n + n_decoded).unwrap()).collect();
    let starts: Vec<usize> = std::iter::once(0).chain(longest..longest + n_decoded).collect();
    for (start, end) in starts.iter().zip(longest..) {
        let row = |text: &[u32], n_padding: usize| -> Vec<u32> {
            (*start..end).map(|at| at.checked_sub(n_padding).map_or(0, |at| text[at])).collect()
        };
        let rows: Vec<u32> = texts.iter().zip(&padding).flat_map(|(text, n)| row(text, *n)).collect();
        let logits =
            model.next_logits(&Tensor::from_vec(rows, (4, end - start), &CPU).unwrap(), &mut together).unwrap();
        for (number, (text, cache)) in texts.iter().zip(&mut alone).enumerate() {
            let new = &text[start.saturating_sub(padding[number])..end - padding[number]];
            let new = Tensor::from_slice(new, (1, new.len()), &CPU).unwrap();
            let single = model.next_logits(&new, cache).unwrap();
            let apart = difference(&logits.narrow(0, number, 1).unwrap(), &single).unwrap();
            assert!(apart.max_abs < 1e-5, "text {number}, {end} columns: {apart:?}");
        }
    }
}
