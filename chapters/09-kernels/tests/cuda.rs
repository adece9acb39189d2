//! The operations for GPUs against the reference: values and every gradient, through the whole model.
//!
//! With the feature `twin` the CPU plays the GPU and runs the same kernels, thread by thread; with the feature `cuda` they run on one.
//!
//!     cargo test --package kernels --features twin --test cuda

#![allow(clippy::unwrap_used)]
#![cfg(any(feature = "twin", feature = "cuda"))]

mod shared;

use std::sync::Arc;

use attention::NoStore;
use candle_core::{DType, Device, Tensor, Var};
use kernels::cuda::Cuda;
use kernels::fallbacks::Fallbacks;
use kernels::{Activations, Precision};
use shared::{
    Repeat, assert_adamw_is_the_reference_s, assert_close, config, loss_and_gradients, relative_distance, settings,
    tokens, train,
};
use training::{Gradients, Schedule, Trainer};
use transformer::{ModelConfig, Ops, Transformer, Weight, flops_per_token};

#[cfg(not(feature = "cuda"))]
fn device() -> Device {
    Device::Cpu
}

#[cfg(not(feature = "cuda"))]
fn cuda(_device: &Device, precision: Precision, activations: Activations) -> Cuda {
    Cuda::twin(precision, activations, 1)
}

#[cfg(not(feature = "cuda"))]
fn ordered(_device: &Device, precision: Precision, order: u64) -> Cuda {
    Cuda::twin(precision, Activations::Keep, order)
}

#[cfg(feature = "cuda")]
fn device() -> Device {
    kernels::cuda::open(0).unwrap()
}

#[cfg(feature = "cuda")]
fn cuda(device: &Device, precision: Precision, activations: Activations) -> Cuda {
    Cuda::new(device, precision, activations).unwrap()
}

/// A GPU decides the order itself.
#[cfg(feature = "cuda")]
fn ordered(device: &Device, precision: Precision, _order: u64) -> Cuda {
    cuda(device, precision, Activations::Keep)
}

/// head_dim 64 and 128 have kernels of their own.
fn shapes() -> Vec<(ModelConfig, usize, usize)> {
    let wide = [(config(192, 3, 1, 96, 130), 1, 150), (config(256, 2, 1, 64, 50), 2, 70)];
    shared::shapes().into_iter().chain(wide).collect()
}

fn compare(precision: Precision, activations: Activations, tolerance: f32) {
    let device = device();
    for (config, batch, seq_len) in shapes() {
        let reference = Transformer::new(config, 3, &device).unwrap();
        let fast = reference.with_ops(Arc::new(cuda(&device, precision, activations))).unwrap();
        let what = format!("{precision:?} {activations:?} d_model {}", reference.config().d_model);
        assert_close(&fast, &reference, batch, seq_len, tolerance, &what);
    }
}

#[test]
fn every_gradient_is_the_reference_s() {
    // Two layers of f32 sums in another order.
    compare(Precision::F32, Activations::Keep, 2e-5);
    compare(Precision::F32, Activations::Recompute, 2e-5);
}

#[test]
fn bf16_gradients_are_near_the_reference_s() {
    // bfloat16 has 8 bits: 2⁻⁹ for each factor, over a chain of about ten products.
    compare(Precision::Bf16, Activations::Keep, 4e-2);
    compare(Precision::Bf16, Activations::Recompute, 4e-2);
}

#[test]
fn tf32_gradients_are_near_the_reference_s() {
    // 2⁻¹¹ for each factor.
    compare(Precision::Tf32, Activations::Keep, 1e-2);
}

#[test]
fn log_probabilities_and_their_gradients_are_the_reference_s() {
    let device = device();
    let reference = Transformer::new(config(32, 2, 1, 48, 40), 3, &device).unwrap();
    let fast = reference.with_ops(Arc::new(cuda(&device, Precision::F32, Activations::Keep))).unwrap();
    // What preference losses do: something nonlinear with a gradient of its own for each log-probability.
    let run = |model: &Transformer| {
        let (inputs, targets) = (tokens(2, 20, 40, 1, &device), tokens(2, 20, 40, 5, &device));
        let log_probs = model.target_log_probs(&inputs, &targets).unwrap();
        let loss = log_probs.sqr().unwrap().sum_all().unwrap();
        let mut gradients = Gradients::of_graph(&loss, model.parameters()).unwrap();
        gradients.extend(model.ops().take_gradients()).unwrap();
        (log_probs, gradients)
    };
    let ((expected, expected_gradients), (found, gradients)) = (run(&reference), run(&fast));
    assert!(relative_distance(&found, &expected) < 1e-5);
    for (name, _) in reference.parameters().iter() {
        let distance = relative_distance(gradients.get(name).unwrap(), expected_gradients.get(name).unwrap());
        assert!(distance < 2e-5, "the gradient of {name} is off by {distance}");
    }
}

#[test]
fn gradients_of_several_scaled_losses_add_up_in_place() {
    let device = device();
    let reference = Transformer::new(config(32, 2, 1, 48, 40), 3, &device).unwrap();
    let ops = Arc::new(cuda(&device, Precision::F32, Activations::Keep));
    let fast = reference.with_ops(ops.clone()).unwrap();
    let backward = |model: &Transformer, seed: usize| {
        let (inputs, targets) = (tokens(2, 20, 40, seed, &device), tokens(2, 20, 40, seed + 7, &device));
        let loss = (model.next_token_loss(&inputs, &targets, None).unwrap() * 0.25).unwrap();
        Gradients::of_graph(&loss, model.parameters()).unwrap()
    };
    for _round in 0..2 {
        let mut expected = backward(&reference, 1);
        expected.add(backward(&reference, 2)).unwrap();
        let mut found = backward(&fast, 1);
        found.add(backward(&fast, 2)).unwrap();
        found.extend(ops.take_gradients()).unwrap();
        for (name, _) in reference.parameters().iter() {
            assert!(relative_distance(found.get(name).unwrap(), expected.get(name).unwrap()) < 2e-5, "{name}");
        }
        assert!(ops.take_gradients().is_empty(), "sums are handed out once");
    }
}

#[test]
fn a_model_for_inference_leaves_no_gradients_and_gives_the_same_hidden_states() {
    let device = device();
    let reference = Transformer::new(config(32, 2, 1, 48, 40), 3, &device).unwrap();
    let ops = Arc::new(cuda(&device, Precision::F32, Activations::Keep));
    let inference = reference.with_ops(ops.clone()).unwrap().for_inference().unwrap();
    let inputs = tokens(2, 20, 40, 1, &device);
    let distance = relative_distance(&inference.logits(&inputs).unwrap(), &reference.logits(&inputs).unwrap());
    assert!(distance < 1e-5, "{distance}");
    assert!(!inference.hidden(&inputs, &mut NoStore).unwrap().track_op());
    assert!(ops.take_gradients().is_empty());
}

#[test]
fn changed_weights_are_seen_once_they_are_told() {
    let device = device();
    let model = Transformer::new(config(32, 2, 1, 48, 40), 3, &device).unwrap();
    let fast = model.with_ops(Arc::new(cuda(&device, Precision::F32, Activations::Keep))).unwrap();
    let loss = |model: &Transformer| {
        let (inputs, targets) = (tokens(1, 9, 40, 1, &device), tokens(1, 9, 40, 2, &device));
        model.next_token_loss(&inputs, &targets, None).unwrap().to_scalar::<f32>().unwrap()
    };
    assert!((loss(&fast) - loss(&model)).abs() < 1e-4);
    let var = model.parameters().get("layers.1.mlp.up").unwrap();
    var.set(&(var.as_tensor().detach() * 3.0).unwrap()).unwrap();
    fast.ops().weights_changed();
    assert!((loss(&fast) - loss(&model)).abs() < 1e-4);
}

#[test]
fn nan_in_a_weight_is_a_nan_in_the_loss() {
    let device = device();
    let model = Transformer::new(config(64, 1, 1, 48, 40), 3, &device).unwrap();
    let var = model.parameters().get("layers.1.attention.k").unwrap();
    var.set(&(var.as_tensor().detach() * f64::NAN).unwrap()).unwrap();
    for precision in [Precision::F32, Precision::Bf16] {
        let fast = model.with_ops(Arc::new(cuda(&device, precision, Activations::Keep))).unwrap();
        let (inputs, targets) = (tokens(1, 9, 40, 1, &device), tokens(1, 9, 40, 2, &device));
        let loss = fast.next_token_loss(&inputs, &targets, None).unwrap();
        assert!(loss.to_scalar::<f32>().unwrap().is_nan(), "{precision:?}");
    }
}

#[test]
fn a_token_beyond_the_vocabulary_is_an_error() {
    let device = device();
    let ops = cuda(&device, Precision::F32, Activations::Keep);
    let weight = Weight { name: "embedding".into(), tensor: Tensor::zeros((3, 8), DType::F32, &device).unwrap() };
    let error = ops.embedding(&tokens(1, 4, 9, 0, &device), &weight).unwrap_err().to_string();
    assert!(error.contains("is not in the vocabulary of 3"), "{error}");
}

#[test]
fn steps_of_adamw_are_the_reference_s() {
    let device = device();
    assert_adamw_is_the_reference_s(Arc::new(cuda(&device, Precision::Bf16, Activations::Keep)), &device);
}

/// A GPU's 50 take a second, the twin's would take minutes.
const N_STEPS: usize = if cfg!(feature = "cuda") { 50 } else { 12 };

#[test]
fn training_steps_follow_the_reference() {
    let device = device();
    let losses = |ops| train(Transformer::new(config(64, 1, 1, 48, 60), 3, &device).unwrap(), ops, N_STEPS);
    let expected = losses(None);
    assert!(expected[N_STEPS - 1] < 0.95 * expected[0], "the reference learns: {expected:?}");
    for (precision, tolerance) in [(Precision::F32, 1e-3), (Precision::Bf16, 1e-2)] {
        let found = losses(Some(cuda(&device, precision, Activations::Keep)));
        let off = found.iter().zip(&expected).map(|(a, b)| (a / b - 1.0).abs()).fold(0.0, f64::max);
        println!("{precision:?}: {} to {}, off by at most {off:.1e}", found[0], found[N_STEPS - 1]);
        assert!(off < tolerance, "{precision:?}: {off}\n{found:?}\n{expected:?}");
    }
}

/// Validation runs on a model for inference that is made once, before training.
#[test]
fn a_model_for_inference_sees_what_training_changes() {
    let device = device();
    let reference = Transformer::new(config(64, 1, 1, 48, 60), 3, &device).unwrap();
    let ops = Arc::new(cuda(&device, Precision::Bf16, Activations::Keep));
    let model = reference.with_ops(ops.clone()).unwrap();
    let frozen = model.for_inference().unwrap();
    let loss = |model: &Transformer| {
        let (inputs, targets) = (tokens(1, 9, 60, 1, &device), tokens(1, 9, 60, 2, &device));
        model.next_token_loss(&inputs, &targets, None).unwrap().to_scalar::<f32>().unwrap()
    };
    let before = loss(&frozen);
    let settings = settings(2, 1, Schedule { peak_lr: 1e-2, warmup_steps: 0, final_ratio: 1.0 });
    let mut trainer = Trainer::new(&model, settings).unwrap().with_optimizer_ops(ops);
    let mut task = Repeat { model: model.clone(), step: 0 };
    (0..2).for_each(|_| drop(trainer.train_step(&mut task).unwrap()));
    let (after, expected) = (loss(&frozen), loss(&reference));
    assert!((before - expected).abs() > 0.03 * expected.abs(), "training changes the loss: {before} to {expected}");
    assert!((after - expected).abs() < 1e-2 * expected.abs(), "{after}, not {expected}");
}

/// A profile misses no product: their arithmetic is what chapter 06 counts for a training step, attention apart, whose kernels are not products.
#[test]
fn a_profile_has_every_launch_and_every_product() {
    let device = device();
    let reference = Transformer::new(config(32, 2, 1, 48, 40), 3, &device).unwrap();
    let ops = Arc::new(cuda(&device, Precision::F32, Activations::Keep));
    let model = reference.with_ops(ops.clone()).unwrap();
    let (batch, seq_len) = (2, 20);
    loss_and_gradients(&model, batch, seq_len);
    ops.start_profile().unwrap();
    loss_and_gradients(&model, batch, seq_len);
    let profile = ops.stop_profile().unwrap();
    let flops: f64 = profile.kernels.iter().map(|kernel| kernel.flops).sum();
    assert_eq!(flops, flops_per_token(model.config(), 0) * (batch * seq_len) as f64, "{profile:?}");
    let n_calls = |name: &str| profile.kernels.iter().find(|kernel| kernel.name == name).unwrap().n_calls;
    assert_eq!((n_calls("attention_forward"), n_calls("embedding_forward")), (model.config().n_layers, 1));
    assert!(profile.between_ms >= 0.0 && profile.kernels.iter().all(|kernel| kernel.ms >= 0.0), "{profile:?}");
    assert!(ops.stop_profile().is_err(), "it has ended");
}

/// Nothing depends on the order in which threads run: sums have a fixed order, and what a thread reads was finished before.
#[test]
fn two_runs_are_equal_bit_for_bit() {
    let device = device();
    let run = |order: u64| {
        let model = Transformer::new(config(128, 2, 1, 48, 50), 3, &device).unwrap();
        let ops = ordered(&device, Precision::Bf16, order);
        let model = model.with_ops(Arc::new(ops)).unwrap();
        let (loss, gradients) = loss_and_gradients(&model, 2, 70);
        let all: Vec<Vec<f32>> = (model.parameters().iter())
            .map(|(name, _)| gradients.get(name).unwrap().flatten_all().unwrap().to_vec1().unwrap())
            .collect();
        (loss, all)
    };
    assert_eq!(run(0), run(7));
}

#[test]
fn what_is_handed_on_is_said_once_and_training_says_nothing() {
    let device = device();
    let kernels = cuda(&device, Precision::F32, Activations::Keep);
    let fallbacks = Fallbacks::default();
    let kernels = kernels.with_fallbacks(fallbacks.clone());
    let model = Transformer::new(config(30, 3, 1, 37, 51), 0, &device).unwrap();
    let model = model.with_ops(Arc::new(kernels.clone())).unwrap();
    loss_and_gradients(&model, 1, 5);
    assert_eq!(fallbacks.seen(), [] as [String; 0]);

    let ids = tokens(1, 4, 16, 1, &device);
    let matrix = Tensor::ones((16, 8), DType::F32, &device).unwrap();
    let weight = |tensor: Tensor| Weight { name: Arc::from("w"), tensor };
    let of_half = weight(matrix.to_dtype(DType::F16).unwrap());
    let var = Var::from_tensor(&matrix).unwrap();
    let derived = weight((var.as_tensor() * 2.0).unwrap());
    for _ in 0..2 {
        kernels.embedding(&ids, &of_half).unwrap();
        kernels.embedding(&ids, &derived).unwrap();
    }
    let seen = fallbacks.seen();
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(seen[0].starts_with("embedding: F16 on "), "{seen:?}");
    assert!(seen[1].starts_with("embedding: a weight is the result of other operations"), "{seen:?}");
}
