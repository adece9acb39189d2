//! The properties that every model and every implementation of its operations must have.
#![allow(clippy::unwrap_used)]

use attention::{NoStore, RopeScaling};
use candle_core::{Device, Tensor};
use tensors::{difference, gradient_coverage};
use transformer::model::parameter_shapes;
use transformer::{
    Architecture, Biases, FeedForwardKind, ModelConfig, NormKind, Positions, Transformer, flops_per_token, n_parameters,
};

const CPU: Device = Device::Cpu;

fn config(n_heads: usize, n_kv_heads: usize, tie_embeddings: bool) -> ModelConfig {
    ModelConfig {
        vocab_size: 61,
        d_model: 24,
        n_layers: 3,
        n_heads,
        n_kv_heads,
        d_ff: 40,
        max_seq_len: 16,
        rope_theta: 10_000.0,
        norm_eps: 1e-5,
        architecture: Architecture::LLAMA,
        tie_embeddings,
        init_std: 0.05,
    }
}

/// A Llama with several numbers of heads, every family, and every single step from GPT-2 to a Llama.
fn configs() -> Vec<ModelConfig> {
    let of_heads = [(4, 4), (4, 2), (6, 2), (2, 1)].into_iter();
    let of_heads = of_heads.flat_map(|(n, kv)| [config(n, kv, true), config(n, kv, false)]);
    of_heads.chain(architectures().map(|architecture| ModelConfig { architecture, ..config(4, 2, true) })).collect()
}

fn architectures() -> impl Iterator<Item = Architecture> {
    let scaling =
        RopeScaling::Llama3 { factor: 4.0, low_freq_factor: 1.0, high_freq_factor: 4.0, original_max_seq_len: 8 };
    [
        Architecture::GPT2,
        Architecture::QWEN2,
        Architecture { head_dim: Some(10), ..Architecture::QWEN3 },
        Architecture { sliding_window: Some(3), ..Architecture::LLAMA },
        Architecture { positions: Positions::Rotary(scaling), ..Architecture::LLAMA },
        Architecture { norm: NormKind::RmsNorm, ..Architecture::GPT2 },
        Architecture { positions: Positions::default(), ..Architecture::GPT2 },
        Architecture { feed_forward: FeedForwardKind::SwiGlu, ..Architecture::GPT2 },
        Architecture { biases: Biases::None, ..Architecture::GPT2 },
    ]
    .into_iter()
}

fn tokens(batch: usize, seq_len: usize, salt: u32) -> Tensor {
    let ids: Vec<u32> = (0..(batch * seq_len) as u32).map(|i| (i * i * 17 + 5 * i + salt) % 61).collect();
    Tensor::from_vec(ids, (batch, seq_len), &CPU).unwrap()
}

#[test]
fn every_parameter_receives_a_gradient() {
    for config in configs() {
        let model = Transformer::new(config.clone(), 1, &CPU).unwrap();
        let loss = model.target_log_probs(&tokens(2, 8, 0), &tokens(2, 8, 1)).unwrap().mean_all().unwrap();
        let coverage = gradient_coverage(&loss, model.parameters()).unwrap();
        assert!(coverage.is_complete(), "{config:?}: {coverage:?}");
        assert_eq!(coverage.n_parameters, parameter_shapes(&config).len());
    }
}

#[test]
fn a_later_token_cannot_change_an_earlier_logit() {
    for config in configs() {
        let model = Transformer::new(config, 2, &CPU).unwrap();
        let before = tokens(1, 10, 0).flatten_all().unwrap().to_vec1::<u32>().unwrap();
        let logits = |ids: &[u32]| model.logits(&Tensor::from_slice(ids, (1, ids.len()), &CPU).unwrap()).unwrap();
        for position in 0..10 {
            let mut after = before.clone();
            after[position] = (after[position] + 1) % 61;
            let (a, b) = (logits(&after), logits(&before));
            if position > 0 {
                let earlier =
                    difference(&a.narrow(1, 0, position).unwrap(), &b.narrow(1, 0, position).unwrap()).unwrap();
                assert_eq!(earlier.max_abs, 0.0, "token {position} changed an earlier logit");
            }
            let here = difference(&a.narrow(1, position, 1).unwrap(), &b.narrow(1, position, 1).unwrap()).unwrap();
            assert!(here.max_abs > 1e-4, "token {position} does not reach its own logits");
        }
    }
}

#[test]
fn log_probs_are_a_softmax_of_the_logits() {
    let model = Transformer::new(config(4, 2, true), 3, &CPU).unwrap();
    let (inputs, targets) = (tokens(2, 6, 0), tokens(2, 6, 9));
    let found = model.target_log_probs(&inputs, &targets).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let logits = model.logits(&inputs).unwrap().flatten_to(1).unwrap().to_vec2::<f32>().unwrap();
    let targets = targets.flatten_all().unwrap().to_vec1::<u32>().unwrap();
    for ((row, target), found) in logits.iter().zip(targets).zip(found) {
        let total: f64 = row.iter().map(|&logit| f64::from(logit).exp()).sum();
        let expected = f64::from(row[target as usize]) - total.ln();
        assert!((f64::from(found) - expected).abs() < 1e-5, "{found} against {expected}");
    }
}

#[test]
fn closed_forms_equal_what_is_built() {
    for config in configs() {
        let model = Transformer::new(config.clone(), 4, &CPU).unwrap();
        assert_eq!(n_parameters(&config), model.parameters().n_scalars());
    }
    // SmolLM2-135M's published size, and 6N plus attention for its FLOPs.
    let smol = ModelConfig {
        vocab_size: 49_152,
        d_model: 576,
        n_layers: 30,
        d_ff: 1_536,
        max_seq_len: 2_048,
        ..config(9, 3, true)
    };
    assert_eq!(n_parameters(&smol), 134_515_008);
    let norms = 61 * 576;
    let expected = 6.0 * (134_515_008 - norms) as f64 + 12.0 * (30 * 576 * 2_048) as f64;
    assert_eq!(flops_per_token(&smol, 2_048), expected);
}

#[test]
fn the_seed_decides_the_weights() {
    let logits = |seed| Transformer::new(config(4, 2, true), seed, &CPU).unwrap().logits(&tokens(1, 4, 0)).unwrap();
    assert_eq!(difference(&logits(5), &logits(5)).unwrap().max_abs, 0.0);
    assert!(difference(&logits(5), &logits(6)).unwrap().max_abs > 1e-3);
}

#[test]
fn a_frozen_copy_stays_while_the_view_follows() {
    let model = Transformer::new(config(4, 2, true), 7, &CPU).unwrap();
    let (copy, view) = (model.frozen_copy().unwrap(), model.for_inference().unwrap());
    let before = model.logits(&tokens(1, 4, 0)).unwrap();
    for (_, var) in model.parameters().iter() {
        var.set(&(var.as_tensor() * 1.5).unwrap()).unwrap();
    }
    let after = model.logits(&tokens(1, 4, 0)).unwrap();
    assert!(difference(&after, &before).unwrap().max_abs > 1e-3);
    assert_eq!(difference(&copy.logits(&tokens(1, 4, 0)).unwrap(), &before).unwrap().max_abs, 0.0);
    assert_eq!(difference(&view.logits(&tokens(1, 4, 0)).unwrap(), &after).unwrap().max_abs, 0.0);
    let loss = view.target_log_probs(&tokens(1, 4, 0), &tokens(1, 4, 1)).unwrap().mean_all().unwrap();
    assert_eq!(gradient_coverage(&loss, view.parameters()).unwrap().missing.len(), view.parameters().len());
}

#[test]
fn too_long_or_unknown_tokens_are_errors() {
    let model = Transformer::new(config(4, 2, true), 8, &CPU).unwrap();
    let error = model.hidden(&tokens(1, 17, 0), &mut NoStore).unwrap_err().to_string();
    assert!(error.contains("17 tokens exceed max_seq_len 16"), "{error}");
    assert!(model.logits(&Tensor::new(&[[61u32]], &CPU).unwrap()).is_err());
    let error = model.logits(&Tensor::new(&[[3, u32::MAX]], &CPU).unwrap()).unwrap_err().to_string();
    assert!(error.contains("token 4294967295 is not below vocab_size 61"), "{error}");
}

#[test]
fn a_sequence_without_tokens_is_an_error() {
    let model = Transformer::new(config(4, 2, true), 9, &CPU).unwrap();
    let nothing = Tensor::zeros((1, 0), candle_core::DType::U32, &CPU).unwrap();
    let error = model.next_logits(&nothing, &mut NoStore).unwrap_err().to_string();
    assert!(error.contains("the sequence is empty"), "{error}");
}
