//! A cache changes the work and not the result; the loop ends where it must.
#![allow(clippy::unwrap_used)]

use attention::{KeyValueStore, NoStore};
use candle_core::{Device, Tensor};
use generation::{Generator, KvCache, Limits, Sampler, Sampling, generate};
use tensors::difference;
use transformer::{ModelConfig, Transformer};

const CPU: Device = Device::Cpu;

fn model(n_kv_heads: usize) -> Transformer {
    let config = ModelConfig {
        vocab_size: 61,
        d_model: 24,
        n_layers: 3,
        n_heads: 4,
        n_kv_heads,
        d_ff: 40,
        max_seq_len: 24,
        rope_theta: 10_000.0,
        rms_norm_eps: 1e-5,
        tie_embeddings: true,
        init_std: 0.2,
    };
    Transformer::new(config, 1, &CPU).unwrap().for_inference().unwrap()
}

fn ids(n: u32) -> Vec<u32> {
    (0..n).map(|i| (i * i * 17 + 5 * i) % 61).collect()
}

fn tensor(ids: &[u32]) -> Tensor {
    Tensor::from_slice(ids, (1, ids.len()), &CPU).unwrap()
}

fn greedy() -> Sampler {
    Sampler::new(Sampling::Greedy, 0).unwrap()
}

#[test]
fn prefill_and_decode_equal_the_whole_pass() {
    for n_kv_heads in [1, 2, 4] {
        let model = model(n_kv_heads);
        let ids = ids(20);
        // Any way of cutting the text into chunks.
        for cuts in [vec![20], vec![1; 20], vec![7, 1, 1, 8, 3], vec![19, 1]] {
            let mut cache = KvCache::new(&model, 1, 20).unwrap();
            let mut start = 0;
            for n in cuts {
                let cached = model.next_logits(&tensor(&ids[start..start + n]), &mut cache).unwrap();
                start += n;
                let whole = model.next_logits(&tensor(&ids[..start]), &mut NoStore).unwrap();
                let apart = difference(&cached, &whole).unwrap();
                assert!(apart.max_abs < 1e-5, "{n_kv_heads} heads, {start} tokens: {apart:?}");
            }
            assert_eq!(cache.len(), 20);
        }
    }
}

#[test]
fn a_cleared_cache_remembers_nothing() {
    let model = model(2);
    let mut cache = KvCache::new(&model, 1, 24).unwrap();
    let first = model.next_logits(&tensor(&ids(9)), &mut cache).unwrap();
    model.next_logits(&tensor(&[60, 59]), &mut cache).unwrap();
    cache.clear();
    assert!(cache.is_empty());
    let again = model.next_logits(&tensor(&ids(9)), &mut cache).unwrap();
    assert_eq!(difference(&first, &again).unwrap().max_abs, 0.0);
}

#[test]
fn greedy_generation_equals_repeated_whole_passes() {
    let model = model(2);
    let mut text = ids(5);
    let found = generate(&model, &text, greedy(), Limits { max_tokens: 10, stop_tokens: vec![] }).unwrap();
    for token in &found {
        let logits =
            model.next_logits(&tensor(&text), &mut NoStore).unwrap().squeeze(0).unwrap().to_vec1::<f32>().unwrap();
        let best = (0..61).max_by(|&a: &usize, &b| logits[a].total_cmp(&logits[b])).unwrap();
        assert_eq!(*token as usize, best);
        text.push(*token);
    }
    assert_eq!(found.len(), 10);
}

#[test]
fn stop_tokens_and_limits_end_the_text() {
    let model = model(2);
    let limits = |max_tokens, stop_tokens| Limits { max_tokens, stop_tokens };
    let free = generate(&model, &ids(5), greedy(), limits(8, vec![])).unwrap();
    let stop = free[3];
    let first = free.iter().position(|token| *token == stop).unwrap();
    let stopped = generate(&model, &ids(5), greedy(), limits(8, vec![stop])).unwrap();
    assert_eq!(stopped, free[..first]);
    assert!(generate(&model, &ids(5), greedy(), limits(0, vec![])).unwrap().is_empty());
    // 24 positions, 5 of them the prompt: the last token that fits is sampled at position 24.
    for max_tokens in [99, usize::MAX] {
        assert_eq!(generate(&model, &ids(5), greedy(), limits(max_tokens, vec![])).unwrap().len(), 20);
    }
    let mut generator = Generator::new(&model, &ids(5), greedy(), limits(2, vec![])).unwrap();
    assert!(
        generator.next().is_some()
            && generator.next().is_some()
            && generator.next().is_none()
            && generator.next().is_none()
    );
}

#[test]
fn prompts_that_cannot_be_continued_are_refused() {
    let model = model(2);
    let error = |prompt: &[u32]| {
        generate(&model, prompt, greedy(), Limits { max_tokens: 1, stop_tokens: vec![] }).unwrap_err().to_string()
    };
    assert!(error(&[]).contains("the prompt has no token"));
    assert!(error(&ids(24)).contains("24 tokens leave no room within max_seq_len 24"));
    assert!(KvCache::new(&model, 1, 25).unwrap_err().to_string().contains("exceeds max_seq_len 24"));
}
