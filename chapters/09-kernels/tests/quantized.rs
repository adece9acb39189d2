//! Models with quantised weights against the reference operations on the same weights, turned back into f32.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use candle_core::{Device, Tensor};
use generation::{KvCache, Limits, Sampler, Sampling, generate};
use kernels::{Activations, Fused, Isa, Precision, Quantized};
use tensors::difference;
use transformer::gguf::{BlockType, Storage};
use transformer::{Architecture, GgufFile, ModelConfig, Transformer};

const CPU: Device = Device::Cpu;
const N_TOKENS: usize = 40;
/// Of the relative distance: two layers of f32 sums in another order.
const TOLERANCE: f64 = 1e-5;

/// Heads of 16; d_model of whole blocks. The rows of the down projection are whole blocks if `d_ff` is.
fn model(architecture: Architecture, d_ff: usize, tie_embeddings: bool) -> Transformer {
    let config = ModelConfig {
        vocab_size: 83,
        d_model: 64,
        n_layers: 2,
        n_heads: 4,
        n_kv_heads: if architecture == Architecture::GPT2 { 4 } else { 2 },
        d_ff,
        max_seq_len: 64,
        rope_theta: 10_000.0,
        norm_eps: 1e-5,
        architecture,
        tie_embeddings,
        init_std: 0.2,
    };
    Transformer::new(config, 3, &CPU).unwrap()
}

fn all_models() -> Vec<Transformer> {
    vec![
        model(Architecture::LLAMA, 96, true),
        model(Architecture::LLAMA, 96, false),
        model(Architecture::LLAMA, 90, false),
        model(Architecture { qk_norm: true, ..Architecture::LLAMA }, 96, true),
        model(Architecture::GPT2, 96, true),
    ]
}

fn quantized(model: &Transformer, storage: Storage, isa: Isa) -> Transformer {
    let fused = Fused::new(Precision::F32, Activations::Keep).with_isa(isa);
    let ops = Quantized::new(fused, model, storage).unwrap();
    model.with_kept_weights(Arc::new(ops.clone()), |name| ops.keeps(name)).unwrap()
}

/// The weights as their blocks say them, in f32 and on the reference operations.
fn rounded(model: &Transformer, storage: Storage) -> Transformer {
    let copy = model.frozen_copy().unwrap();
    let values = copy.parameters().tensors().map(|(name, tensor)| {
        let kind = storage.of(&name, tensor.dims());
        if !matches!(kind, BlockType::Q8_0 | BlockType::Q4_0) {
            return (name, tensor.copy().unwrap());
        }
        let numbers = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let numbers = kind.dequantize(&kind.quantize(&numbers).unwrap());
        (name, Tensor::from_vec(numbers, tensor.shape(), &CPU).unwrap())
    });
    copy.assign(&values.collect()).unwrap();
    copy.for_inference().unwrap()
}

fn texts(n: usize) -> Tensor {
    let ids: Vec<u32> = (0..2 * n as u32).map(|i| (i * i * 17 + 5 * i) % 83).collect();
    Tensor::from_vec(ids, (2, n), &CPU).unwrap()
}

fn assert_close(found: &Tensor, expected: &Tensor, what: &str) {
    let distance = difference(found, expected).unwrap().relative_l2;
    assert!(distance < TOLERANCE, "{what}: {distance:e}");
}

#[test]
fn logits_and_log_probs_are_those_of_the_rounded_weights() {
    for (number, model) in all_models().iter().enumerate() {
        for storage in [Storage::Q8_0, Storage::Q4_0] {
            let reference = rounded(model, storage);
            let tokens = texts(N_TOKENS);
            let targets = texts(N_TOKENS + 1).narrow(1, 1, N_TOKENS).unwrap().contiguous().unwrap();
            let logits = reference.logits(&tokens).unwrap();
            let log_probs = reference.target_log_probs(&tokens, &targets).unwrap();
            for &isa in Isa::available() {
                let what = format!("model {number} in {storage:?} at {isa}");
                let quantized = quantized(model, storage, isa);
                assert_close(&quantized.logits(&tokens).unwrap(), &logits, &what);
                assert_close(&quantized.target_log_probs(&tokens, &targets).unwrap(), &log_probs, &what);
            }
            // And these are others than the model's own, or nothing was shown.
            let exact = model.for_inference().unwrap().logits(&tokens).unwrap();
            assert!(difference(&logits, &exact).unwrap().relative_l2 > 1e-3, "model {number} in {storage:?}");
        }
    }
}

#[test]
fn a_cache_in_any_chunks_gives_the_whole_pass() {
    for (number, model) in all_models().iter().enumerate() {
        let whole = rounded(model, Storage::Q8_0).logits(&texts(N_TOKENS)).unwrap();
        let quantized = quantized(model, Storage::Q8_0, Isa::best());
        for chunks in [vec![1; N_TOKENS], vec![2, 1, 30, 1, 1, 5], vec![20, 1, 1, 18]] {
            let mut cache = KvCache::new(&quantized, 2, N_TOKENS).unwrap();
            let mut end = 0;
            for n in chunks {
                let tokens = texts(N_TOKENS).narrow(1, end, n).unwrap().contiguous().unwrap();
                end += n;
                let logits = quantized.next_logits(&tokens, &mut cache).unwrap();
                let expected = whole.narrow(1, end - 1, 1).unwrap().squeeze(1).unwrap();
                assert_close(&logits, &expected, &format!("model {number}, {n} tokens up to {end}"));
            }
        }
    }
}

#[test]
fn a_gguf_file_of_the_type_is_the_same_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    for storage in [Storage::Q8_0, Storage::Q4_0] {
        let model = model(Architecture::LLAMA, 96, false);
        model.save_gguf(&path, storage, Vec::new()).unwrap();
        let from_file = Transformer::load_gguf(&GgufFile::open(&path).unwrap(), &CPU).unwrap();
        let logits = from_file.for_inference().unwrap().logits(&texts(N_TOKENS)).unwrap();
        let quantized = quantized(&model, storage, Isa::best());
        assert_close(&quantized.logits(&texts(N_TOKENS)).unwrap(), &logits, &format!("{storage:?}"));
    }
}

#[test]
fn the_same_tokens_are_generated() {
    let model = model(Architecture::LLAMA, 96, true);
    let texts = [quantized(&model, Storage::Q4_0, Isa::best()), rounded(&model, Storage::Q4_0)].map(|model| {
        let limits = Limits { max_tokens: 40, stop_tokens: Vec::new() };
        generate(&model, &[7, 8, 9], Sampler::new(Sampling::Greedy, 0).unwrap(), limits).unwrap()
    });
    assert_eq!(texts[0], texts[1]);
}

#[test]
fn blocks_take_the_bytes_that_they_should_and_the_model_keeps_no_others() {
    let model = model(Architecture::LLAMA, 90, false);
    let ops = Quantized::new(Fused::new(Precision::F32, Activations::Keep), &model, Storage::Q4_0).unwrap();
    let bits = |name: &str| {
        ops.blocks(name).map(|blocks| 8.0 * blocks.n_bytes() as f64 / (blocks.d_in() * blocks.d_out()) as f64)
    };
    // 4 or 8 bits, and 32 for every 32 numbers.
    assert_eq!(bits("layers.1.attention.q"), Some(5.0));
    assert_eq!((bits("embedding"), bits("head")), (Some(9.0), Some(9.0)));
    // Rows that blocks do not fill, and vectors, stay as they are.
    assert_eq!((bits("layers.0.mlp.down"), bits("final_norm")), (None, None));
    let kept = model.with_kept_weights(Arc::new(ops.clone()), |name| ops.keeps(name)).unwrap();
    let left: Vec<_> = kept.parameters().iter().map(|(name, _)| name).filter(|name| !name.contains("norm")).collect();
    assert_eq!(left, ["layers.0.mlp.down", "layers.1.mlp.down"]);
    assert_eq!(kept.embedding().tensor.stride(), [0, 0]);
    let message = kept.for_inference().unwrap_err().to_string();
    assert!(message.contains("has no parameter embedding"), "{message}");
}

#[test]
fn what_cannot_be_quantised_is_named() {
    let model = model(Architecture::LLAMA, 96, true);
    let copies = model.parameters().tensors().map(|(name, tensor)| (name, tensor.copy().unwrap()));
    let mut values: std::collections::HashMap<_, _> = copies.collect();
    let name = "layers.1.mlp.up";
    let mut numbers = values[name].flatten_all().unwrap().to_vec1::<f32>().unwrap();
    numbers[100] = f32::NAN;
    values.insert(name.to_string(), Tensor::from_vec(numbers, (96, 64), &CPU).unwrap());
    model.assign(&values).unwrap();
    let fused = Fused::new(Precision::F32, Activations::Keep);
    let message = Quantized::new(fused, &model, Storage::Q8_0).unwrap_err().to_string();
    assert!(message.contains("layers.1.mlp.up: NaN cannot be stored as Q8_0"), "{message}");
    // Wrong tokens and targets are refused as by the other operations.
    let quantized = quantized(&self::model(Architecture::LLAMA, 96, true), Storage::Q8_0, Isa::best());
    let tokens = Tensor::new(&[[5_u32, 83]], &CPU).unwrap();
    assert!(quantized.logits(&tokens).unwrap_err().to_string().contains("token 83"));
    let inside = Tensor::new(&[[5_u32, 82]], &CPU).unwrap();
    assert!(quantized.target_log_probs(&inside, &tokens).unwrap_err().to_string().contains("83"));
}
