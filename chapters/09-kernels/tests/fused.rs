//! The fused operations against the reference operations: values and every gradient, through the whole model.

#![allow(clippy::unwrap_used)]

mod shared;

use std::sync::Arc;

use attention::{NoStore, RopeScaling};
use candle_core::{DType, Device, Tensor};
use kernels::fallbacks::Fallbacks;
use kernels::{Activations, Fused, Isa, Precision};
use shared::primitives::Primitives;
use shared::{
    Repeat, assert_adamw_is_the_reference_s, assert_close, config, loss_and_gradients, relative_distance, shapes,
    tokens, train,
};
use training::{Gradients, Schedule, Trainer};
use transformer::{Architecture, ModelConfig, Ops, Positions, Transformer, Weight};

#[test]
fn every_gradient_is_the_reference_s_at_every_level_of_instructions() {
    for (config, batch, seq_len) in shapes() {
        let reference = Transformer::new(config.clone(), 3, &Device::Cpu).unwrap();
        for &isa in Isa::available() {
            for activations in [Activations::Keep, Activations::Recompute] {
                let ops = Fused::new(Precision::F32, activations).with_isa(isa);
                let fused = reference.with_ops(Arc::new(ops)).unwrap();
                let what = format!("{isa} {activations:?} d_model {}", config.d_model);
                // Two layers of f32 sums in another order.
                assert_close(&fused, &reference, batch, seq_len, 2e-5, &what);
            }
        }
    }
}

#[test]
fn families_that_the_kernels_do_not_know_whole_have_the_reference_s_gradients_and_it_is_said() {
    let scaling = RopeScaling::Linear { factor: 2.0 };
    let families = [
        (Architecture::GPT2, vec!["attention branch", "feed-forward branch"]),
        (
            Architecture { head_dim: Some(9), ..Architecture::GPT2 },
            vec!["attention branch", "attention:", "feed-forward branch"],
        ),
        (Architecture::QWEN2, vec!["attention branch"]),
        (Architecture { head_dim: Some(12), ..Architecture::QWEN3 }, vec!["attention branch"]),
        (Architecture { sliding_window: Some(7), ..Architecture::LLAMA }, vec![]),
        (Architecture { sliding_window: Some(40), ..Architecture::LLAMA }, vec![]), // Longer than the text.
        (Architecture { positions: Positions::Rotary(scaling), ..Architecture::LLAMA }, vec![]),
        (Architecture { head_dim: Some(12), ..Architecture::LLAMA }, vec![]),
    ];
    for (architecture, said) in families {
        let config = ModelConfig { architecture, ..config(32, 4, 2, 40, 51) };
        let reference = Transformer::new(config, 3, &Device::Cpu).unwrap();
        let fallbacks = Fallbacks::default();
        let ops = Fused::new(Precision::F32, Activations::Keep).with_fallbacks(fallbacks.clone());
        let fused = reference.with_ops(Arc::new(ops)).unwrap();
        assert_close(&fused, &reference, 2, 21, 2e-5, &format!("{architecture:?}"));
        let seen = fallbacks.seen();
        assert_eq!(seen.len(), said.len(), "{seen:?}");
        assert!(said.iter().all(|said| seen.iter().any(|seen| seen.starts_with(said))), "{architecture:?}: {seen:?}");
    }
}

#[test]
fn bf16_gradients_are_near_the_reference_s() {
    for (config, batch, seq_len) in shapes() {
        let reference = Transformer::new(config.clone(), 3, &Device::Cpu).unwrap();
        let fused = reference.with_ops(Arc::new(Fused::new(Precision::Bf16, Activations::Keep))).unwrap();
        // bfloat16 has 8 bits: 2⁻⁹ for each factor, over a chain of about ten products.
        assert_close(&fused, &reference, batch, seq_len, 4e-2, &format!("bf16 d_model {}", config.d_model));
    }
}

#[test]
fn a_model_of_primitives_has_the_same_gradients() {
    for (config, batch, seq_len) in shapes() {
        let reference = Transformer::new(config.clone(), 3, &Device::Cpu).unwrap();
        let ops = Primitives(Fused::new(Precision::F32, Activations::Keep));
        let fused = reference.with_ops(Arc::new(ops)).unwrap();
        assert_close(&fused, &reference, batch, seq_len, 2e-5, &format!("primitives, d_model {}", config.d_model));
    }
}

#[test]
fn gradients_of_several_losses_add_up_in_place() {
    let reference = Transformer::new(config(32, 2, 1, 48, 40), 3, &Device::Cpu).unwrap();
    let ops = Arc::new(Fused::new(Precision::F32, Activations::Keep));
    let fused = reference.with_ops(ops.clone()).unwrap();
    let backward = |model: &Transformer, seed: usize| {
        let (inputs, targets) = (tokens(2, 20, 40, seed, &Device::Cpu), tokens(2, 20, 40, seed + 7, &Device::Cpu));
        let loss = model.next_token_loss(&inputs, &targets, None).unwrap();
        Gradients::of_graph(&loss, model.parameters()).unwrap()
    };
    for _round in 0..2 {
        let mut expected = backward(&reference, 1);
        expected.add(backward(&reference, 2)).unwrap();
        let mut found = backward(&fused, 1);
        found.add(backward(&fused, 2)).unwrap();
        found.extend(ops.take_gradients()).unwrap();
        for (name, _) in reference.parameters().iter() {
            assert!(relative_distance(found.get(name).unwrap(), expected.get(name).unwrap()) < 2e-5, "{name}");
        }
        assert!(ops.take_gradients().is_empty(), "sums are handed out once");
    }
}

#[test]
fn a_weight_that_other_operations_made_gets_its_gradient_through_the_graph() {
    let ops = Fused::new(Precision::F32, Activations::Keep);
    let var =
        candle_core::Var::from_tensor(&Tensor::new(&[[0.5_f32, -1.0], [0.25, 2.0]], &Device::Cpu).unwrap()).unwrap();
    let derived = Weight { name: "derived".into(), tensor: (var.as_tensor() * 2.0).unwrap() };
    let x = Tensor::new(&[[[1.0_f32, 3.0]]], &Device::Cpu).unwrap();
    let loss = ops.linear(&x, &derived).unwrap().sum_all().unwrap();
    let gradients = loss.backward().unwrap();
    let found: Vec<Vec<f32>> = gradients.get(&var).unwrap().to_vec2().unwrap();
    assert_eq!(found, [[2.0, 6.0], [2.0, 6.0]]);
    assert!(ops.take_gradients().is_empty());
}

#[test]
fn a_model_for_inference_leaves_no_gradients_and_gives_the_same_logits() {
    let reference = Transformer::new(config(32, 2, 1, 48, 40), 3, &Device::Cpu).unwrap();
    let ops = Arc::new(Fused::new(Precision::F32, Activations::Keep));
    let inference = reference.with_ops(ops.clone()).unwrap().for_inference().unwrap();
    let inputs = tokens(2, 20, 40, 1, &Device::Cpu);
    let distance = relative_distance(&inference.logits(&inputs).unwrap(), &reference.logits(&inputs).unwrap());
    assert!(distance < 1e-5, "{distance}");
    assert!(!inference.hidden(&inputs, &mut NoStore).unwrap().track_op());
    assert!(ops.take_gradients().is_empty());
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let model = Transformer::new(config(48, 4, 2, 100, 300), 3, &Device::Cpu).unwrap();
    let run = |n_threads: usize, precision: Precision| {
        let fused = model.with_ops(Arc::new(Fused::new(precision, Activations::Keep))).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        let (loss, gradients) = pool.install(|| loss_and_gradients(&fused, 3, 70));
        let all: Vec<Vec<f32>> = (model.parameters().iter())
            .map(|(name, _)| gradients.get(name).unwrap().flatten_all().unwrap().to_vec1().unwrap())
            .collect();
        (loss, all)
    };
    for precision in [Precision::F32, Precision::Bf16] {
        assert_eq!(run(1, precision), run(3, precision), "{precision:?}");
    }
}

#[test]
fn nan_in_a_weight_is_a_nan_in_the_loss() {
    let model = Transformer::new(config(32, 2, 1, 48, 40), 3, &Device::Cpu).unwrap();
    let var = model.parameters().get("layers.1.mlp.up").unwrap();
    var.set(&(var.as_tensor().detach() * f64::NAN).unwrap()).unwrap();
    for precision in [Precision::F32, Precision::Bf16] {
        let fused = model.with_ops(Arc::new(Fused::new(precision, Activations::Keep))).unwrap();
        let loss = fused
            .next_token_loss(&tokens(1, 9, 40, 1, &Device::Cpu), &tokens(1, 9, 40, 2, &Device::Cpu), None)
            .unwrap();
        assert!(loss.to_scalar::<f32>().unwrap().is_nan(), "{precision:?}");
    }
}

#[test]
fn wrong_inputs_are_errors() {
    let ops = Fused::new(Precision::F32, Activations::Keep);
    let weight = |name: &str, shape: (usize, usize)| Weight {
        name: name.into(),
        tensor: Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap(),
    };
    let x = Tensor::zeros((1, 2, 8), DType::F32, &Device::Cpu).unwrap();
    let error = ops.linear(&x, &weight("layers.0.mlp.up", (4, 6))).unwrap_err().to_string();
    assert!(error.contains("layers.0.mlp.up is (4, 6) and cannot be applied to width 8"), "{error}");
    let error = ops.embedding(&tokens(1, 4, 9, 0, &Device::Cpu), &weight("embedding", (3, 8))).unwrap_err().to_string();
    assert!(error.contains("is not in the vocabulary of 3"), "{error}");
}

#[test]
fn steps_of_adamw_are_the_reference_s() {
    assert_adamw_is_the_reference_s(Arc::new(Fused::new(Precision::F32, Activations::Keep)), &Device::Cpu);
}

#[test]
fn a_step_that_diverges_on_kernels_says_where() {
    for (precision, activations) in [
        (Precision::F32, Activations::Keep),
        (Precision::F32, Activations::Recompute),
        (Precision::Bf16, Activations::Keep),
    ] {
        let model = Transformer::new(config(32, 2, 1, 48, 60), 3, &Device::Cpu).unwrap();
        let up = model.parameters().get("layers.1.mlp.up").unwrap();
        let poison = Tensor::full(f32::NAN, (1, 32), &Device::Cpu).unwrap();
        up.set(&up.slice_assign(&[7..8, 0..32], &poison).unwrap()).unwrap();
        let model = model.with_ops(Arc::new(Fused::new(precision, activations))).unwrap();
        let schedule = Schedule { peak_lr: 3e-3, warmup_steps: 5, final_ratio: 0.1 };
        let settings = serde_json::from_value(serde_json::json!({ "steps": 1, "schedule": schedule })).unwrap();
        let mut task = Repeat { model: model.clone(), step: 0 };
        let error = Trainer::new(&model, settings).unwrap().train_step(&mut task).unwrap_err().to_string();
        let place = "Where: layers.1 feed-forward: 2048 of 2048 numbers are not finite (of its weight layers.1.mlp.up, 32 of 1536)";
        assert!(error.contains(place), "{precision:?} {activations:?}: {error}");
    }
}

#[test]
fn training_on_kernels_follows_training_on_the_reference() {
    let losses =
        |ops: Option<Fused>| train(Transformer::new(config(32, 2, 1, 48, 60), 3, &Device::Cpu).unwrap(), ops, 30);
    let reference = losses(None);
    assert!(reference[29] < 0.7 * reference[0], "it must learn something: {reference:?}");
    for (precision, tolerance) in [(Precision::F32, 1e-4), (Precision::Bf16, 2e-2)] {
        let fused = losses(Some(Fused::new(precision, Activations::Keep)));
        for (step, (found, expected)) in fused.iter().zip(&reference).enumerate() {
            let distance = (found / expected - 1.0).abs();
            assert!(distance < tolerance, "{precision:?}, step {step}: loss {found}, not {expected}");
        }
    }
}
