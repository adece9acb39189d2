//! A cache changes the work and not the result; the loop ends where it must.
#![allow(clippy::unwrap_used)]

use attention::{KeyValueStore, NoStore};
use candle_core::{Device, Tensor};
use generation::{Generator, KvCache, Limits, Sampler, Sampling, generate};
use tensors::difference;
use transformer::{Architecture, ModelConfig, Transformer};

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
        norm_eps: 1e-5,
        architecture: Architecture::LLAMA,
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
fn an_error_or_a_stop_token_ends_the_text_for_good() {
    let model = model(2);
    let free = generate(&model, &ids(5), greedy(), Limits { max_tokens: 8, stop_tokens: vec![] }).unwrap();
    let limits = Limits { max_tokens: 8, stop_tokens: vec![free[0]] };
    let mut stopped = Generator::new(&model, &ids(5), greedy(), limits).unwrap();
    assert!(stopped.next().is_none() && stopped.next().is_none());

    for (_, var) in model.parameters().iter() {
        var.set(&(var.as_tensor() * f64::NAN).unwrap()).unwrap();
    }
    let limits = Limits { max_tokens: 8, stop_tokens: vec![] };
    let mut damaged = Generator::new(&model, &ids(5), greedy(), limits).unwrap();
    let error = damaged.next().unwrap().unwrap_err().to_string();
    assert!(error.contains("logits is NaN"), "{error}");
    assert!(damaged.next().is_none());
}

#[test]
fn a_batch_of_two_equals_two_single_runs() {
    let model = model(2);
    let texts = [ids(9), ids(12)[3..].to_vec()];
    let rows = |range: std::ops::Range<usize>| {
        let rows: Vec<u32> = texts.iter().flat_map(|text| text[range.clone()].to_vec()).collect();
        Tensor::from_vec(rows, (2, range.len()), &CPU).unwrap()
    };
    let mut both = KvCache::new(&model, 2, 9).unwrap();
    let mut single = texts.clone().map(|_| KvCache::new(&model, 1, 9).unwrap());
    for range in [0..5, 5..6, 6..9] {
        let logits = model.next_logits(&rows(range.clone()), &mut both).unwrap(); // (2, vocab_size)
        for (row, (text, cache)) in texts.iter().zip(&mut single).enumerate() {
            let alone = model.next_logits(&tensor(&text[range.clone()]), cache).unwrap();
            let apart = difference(&logits.narrow(0, row, 1).unwrap(), &alone).unwrap();
            assert!(apart.max_abs < 1e-5, "row {row}, tokens {range:?}: {apart:?}");
        }
    }
}

#[test]
fn more_tokens_than_the_cache_has_room_for_are_refused() {
    let model = model(2);
    let mut cache = KvCache::new(&model, 1, 6).unwrap();
    model.next_logits(&tensor(&ids(5)), &mut cache).unwrap();
    let error = model.next_logits(&tensor(&[1, 2]), &mut cache).unwrap_err().to_string();
    assert!(error.contains("7 tokens exceed the cache's capacity of 6"), "{error}");
    assert_eq!(cache.len(), 5);
    model.next_logits(&tensor(&[1]), &mut cache).unwrap();
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
