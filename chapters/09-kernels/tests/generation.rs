//! Generation on kernels against generation on the reference operations, which has no kernels and no shortcuts.
#![allow(clippy::unwrap_used)]

#[path = "shared/primitives.rs"]
mod primitives;

use std::sync::Arc;

use attention::KeyValueStore;
use candle_core::{Device, Result, Tensor};
use generation::{KvCache, Limits, Sampler, Sampling, generate};
use kernels::{Activations, Fused, Isa, Precision};
use primitives::Primitives;
use tensors::difference;
use transformer::{Architecture, ModelConfig, Transformer};

const CPU: Device = Device::Cpu;
const N_TOKENS: usize = 150;
/// Of the logits' relative distance: three layers of f32 sums in another order.
const TOLERANCE: f64 = 2e-5;

fn model(n_heads: usize, n_kv_heads: usize) -> Transformer {
    let config = ModelConfig {
        vocab_size: 61,
        d_model: 10 * n_heads,
        n_layers: 3,
        n_heads,
        n_kv_heads,
        d_ff: 41,
        max_seq_len: 160,
        rope_theta: 10_000.0,
        norm_eps: 1e-5,
        architecture: Architecture::LLAMA,
        tie_embeddings: true,
        init_std: 0.2,
    };
    Transformer::new(config, 1, &CPU).unwrap()
}

fn on_kernels(model: &Transformer, precision: Precision, isa: Isa) -> Transformer {
    let ops = Fused::new(precision, Activations::Keep).with_isa(isa);
    model.with_ops(Arc::new(ops)).unwrap().for_inference().unwrap()
}

fn ids(n: usize) -> Vec<u32> {
    (0..n as u32).map(|i| (i * i * 17 + 5 * i) % 61).collect()
}

/// Logits after each chunk of two texts, side by side.
fn in_chunks(model: &Transformer, chunks: &[usize]) -> Vec<Tensor> {
    let mut cache = KvCache::new(model, 2, N_TOKENS).unwrap();
    let ids = ids(2 * N_TOKENS);
    let texts = Tensor::from_vec(ids, (2, N_TOKENS), &CPU).unwrap();
    let chunk = |&n: &usize| {
        let tokens = texts.narrow(1, cache.len(), n).unwrap();
        model.next_logits(&tokens.contiguous().unwrap(), &mut cache).unwrap()
    };
    chunks.iter().map(chunk).collect()
}

/// Token by token; a few at a time; a prompt and then tokens; chunks that begin inside a block of queries.
fn all_chunks() -> [Vec<usize>; 4] {
    let decode = |prompt: usize| std::iter::once(prompt).chain(std::iter::repeat_n(1, N_TOKENS - prompt)).collect();
    [decode(1), vec![2, 3, 1, 4, 1, 2, 4], decode(70), vec![50, 30, 1, 60, 2, 7]]
}

#[test]
fn any_chunks_give_the_reference_s_whole_pass_at_every_level() {
    for (n_heads, n_kv_heads) in [(6, 2), (3, 3), (4, 1)] {
        let model = model(n_heads, n_kv_heads);
        let texts = Tensor::from_vec(ids(2 * N_TOKENS), (2, N_TOKENS), &CPU).unwrap();
        let whole = model.for_inference().unwrap().logits(&texts).unwrap(); // (2, N_TOKENS, vocab_size)
        for &isa in Isa::available() {
            let fused = on_kernels(&model, Precision::F32, isa);
            for chunks in all_chunks() {
                let mut end = 0;
                for (logits, n) in in_chunks(&fused, &chunks).iter().zip(&chunks) {
                    end += n;
                    let expected = whole.narrow(1, end - 1, 1).unwrap().squeeze(1).unwrap();
                    let distance = difference(logits, &expected).unwrap().relative_l2;
                    assert!(distance < TOLERANCE, "{isa}, {n_heads}:{n_kv_heads} heads, {end} tokens: {distance}");
                }
            }
        }
    }
}

#[test]
fn a_token_at_a_time_is_f32_in_both_precisions() {
    let model = model(6, 2);
    let of = |precision, chunks: &[usize]| {
        let logits = in_chunks(&on_kernels(&model, precision, Isa::best()), chunks);
        logits.iter().map(|logits| logits.to_vec2::<f32>().unwrap()).collect::<Vec<_>>()
    };
    let ones = vec![1; 40];
    assert_eq!(of(Precision::Bf16, &ones), of(Precision::F32, &ones));
    assert_ne!(of(Precision::Bf16, &[40]), of(Precision::F32, &[40]), "a prompt is multiplied in bfloat16");
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let model = on_kernels(&model(6, 2), Precision::F32, Isa::best());
    let run = |n_threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        let logits = pool.install(|| in_chunks(&model, &all_chunks()[2]));
        logits.iter().map(|logits| logits.to_vec2::<f32>().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn greedy_text_is_the_reference_s() {
    let model = model(6, 2);
    let text = |model: &Transformer| {
        let limits = Limits { max_tokens: 60, stop_tokens: Vec::new() };
        generate(model, &ids(20), Sampler::new(Sampling::Greedy, 0).unwrap(), limits).unwrap()
    };
    assert_eq!(text(&on_kernels(&model, Precision::F32, Isa::best())), text(&model.for_inference().unwrap()));
}

#[test]
fn primitives_and_a_model_in_training_remember_as_well() {
    let model = model(4, 2);
    let fused = Fused::new(Precision::F32, Activations::Keep);
    let primitives = model.with_ops(Arc::new(Primitives(fused.clone()))).unwrap().for_inference().unwrap();
    let in_training = model.with_ops(Arc::new(fused)).unwrap();
    let chunks = [5, 1, 2, 9, 1];
    let expected = in_chunks(&model.for_inference().unwrap(), &chunks);
    for other in [&primitives, &in_training] {
        for (found, expected) in in_chunks(other, &chunks).iter().zip(&expected) {
            assert!(difference(found, expected).unwrap().relative_l2 < TOLERANCE);
        }
    }
    // With a graph, the gradient must reach the weights through the cache's fresh part as the reference lets it.
    assert!(in_chunks(&in_training, &[3])[0].track_op() && !in_chunks(&primitives, &[3])[0].track_op());
}

/// A store that gives what it should not.
#[derive(Debug)]
struct Wrong;

impl KeyValueStore for Wrong {
    fn len(&self) -> usize {
        0
    }
    fn append(&mut self, _layer: usize, k: Tensor, v: Tensor) -> Result<(Tensor, Tensor)> {
        Ok((k.narrow(1, 0, 1)?, v.narrow(1, 0, 1)?))
    }
    fn advance(&mut self, _n_tokens: usize) {}
}

#[test]
fn what_cannot_be_is_an_error() {
    let model = on_kernels(&model(4, 2), Precision::F32, Isa::best());
    let tokens = |n: usize| Tensor::from_vec(ids(n), (1, n), &CPU).unwrap();
    let error = model.next_logits(&tokens(1), &mut Wrong).unwrap_err().to_string();
    assert!(error.contains("a store gave keys"), "{error}");
    let mut cache = KvCache::new(&model, 1, 5).unwrap();
    let error = model.next_logits(&tokens(6), &mut cache).unwrap_err().to_string();
    assert!(error.contains("exceed the cache's capacity of 5"), "{error}");
}
