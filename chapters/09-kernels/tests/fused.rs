//! The fused operations against the reference operations: values and every gradient, through the whole model.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use attention::{NoStore, RopeScaling};
use candle_core::{DType, Device, Result, Tensor};
use kernels::fallbacks::Fallbacks;
use kernels::{Activations, Fused, Isa, Precision};
use training::{
    AdamW, AdamWConfig, Gradients, MicroLoss, OptimizerOps, ReferenceOptimizer, Schedule, Task, TrainConfig, Trainer,
};
use transformer::{Architecture, ModelConfig, Ops, Positions, Transformer, Weight};

fn config(d_model: usize, n_heads: usize, n_kv_heads: usize, d_ff: usize, vocab_size: usize) -> ModelConfig {
    ModelConfig {
        vocab_size,
        d_model,
        n_layers: 2,
        n_heads,
        n_kv_heads,
        d_ff,
        max_seq_len: 96,
        rope_theta: 10_000.0,
        norm_eps: 1e-5,
        architecture: Architecture::LLAMA,
        tie_embeddings: false,
        init_std: 0.08,
    }
}

/// Sizes that are multiples of nothing, groups of one and three, tied and not.
fn shapes() -> Vec<(ModelConfig, usize, usize)> {
    let tied = ModelConfig { tie_embeddings: true, ..config(48, 4, 2, 100, 77) };
    vec![
        (config(64, 4, 4, 128, 96), 2, 64),
        (config(30, 3, 1, 37, 51), 3, 17),
        (tied, 1, 90),
        (config(16, 2, 2, 8, 33), 1, 1),
    ]
}

fn tokens(batch: usize, seq_len: usize, vocab_size: usize, seed: usize) -> Tensor {
    let ids: Vec<u32> = (0..batch * seq_len).map(|i| ((i * 7919 + seed * 31) % vocab_size) as u32).collect();
    Tensor::from_vec(ids, (batch, seq_len), &Device::Cpu).unwrap()
}

/// A mask that leaves out every third target.
fn mask(batch: usize, seq_len: usize) -> Tensor {
    let values: Vec<f32> = (0..batch * seq_len).map(|i| if i % 3 == 1 { 0.0 } else { 1.0 }).collect();
    Tensor::from_vec(values, (batch, seq_len), &Device::Cpu).unwrap()
}

fn loss_and_gradients(model: &Transformer, batch: usize, seq_len: usize) -> (f32, Gradients) {
    let vocab_size = model.config().vocab_size;
    let (inputs, targets) = (tokens(batch, seq_len, vocab_size, 1), tokens(batch, seq_len, vocab_size, 5));
    let loss = model.next_token_loss(&inputs, &targets, Some(&mask(batch, seq_len))).unwrap();
    let mut gradients = Gradients::of_graph(&loss, model.parameters()).unwrap();
    gradients.extend(model.ops().take_gradients()).unwrap();
    gradients.check_coverage(model.parameters()).unwrap();
    (loss.to_scalar().unwrap(), gradients)
}

/// ‖a − b‖ / ‖b‖.
fn relative_distance(a: &Tensor, b: &Tensor) -> f32 {
    let norm = |x: &Tensor| x.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap().sqrt();
    norm(&(a - b).unwrap()) / norm(b).max(1e-12)
}

fn assert_close(
    fused: &Transformer,
    reference: &Transformer,
    batch: usize,
    seq_len: usize,
    tolerance: f32,
    what: &str,
) {
    let (expected_loss, expected) = loss_and_gradients(reference, batch, seq_len);
    let (loss, found) = loss_and_gradients(fused, batch, seq_len);
    assert!((loss - expected_loss).abs() < tolerance * expected_loss.abs(), "{what}: loss {loss}, not {expected_loss}");
    for (name, _) in reference.parameters().iter() {
        let (expected, found) = (expected.get(name).unwrap(), found.get(name).unwrap());
        let distance = relative_distance(found, expected);
        // With one token, queries and keys have no gradient at all: the softmax of one score is constant.
        // Nor has a bias of keys that are not rotated: it adds the same to all scores of a query, and softmax does not see that.
        let is_nothing = expected.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap() < 1e-7
            || name.ends_with("attention.k.bias") && reference.config().rope_scaling().is_none();
        assert!(distance < tolerance || is_nothing, "{what}: the gradient of {name} is off by {distance}");
    }
}

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
        (Architecture::GPT2, vec!["attention branch", "attention:", "feed-forward branch"]),
        (Architecture::QWEN2, vec!["attention branch"]),
        (Architecture { head_dim: Some(12), ..Architecture::QWEN3 }, vec!["attention branch"]),
        (Architecture { sliding_window: Some(7), ..Architecture::LLAMA }, vec!["attention:"]),
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

/// The model out of primitives: what families that a fused branch does not know will run on.
#[derive(Debug)]
struct Primitives(Fused);

impl Ops for Primitives {
    fn embedding(&self, tokens: &Tensor, weight: &Weight) -> Result<Tensor> {
        self.0.embedding(tokens, weight)
    }
    fn linear(&self, x: &Tensor, weight: &Weight) -> Result<Tensor> {
        self.0.linear(x, weight)
    }
    fn rms_norm(&self, x: &Tensor, weight: &Weight, eps: f64) -> Result<Tensor> {
        self.0.rms_norm(x, weight, eps)
    }
    fn attention(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        layout: transformer::AttentionLayout,
        store: &mut dyn attention::KeyValueStore,
    ) -> Result<Tensor> {
        self.0.attention(q, k, v, layout, store)
    }
    fn swiglu(&self, gate: &Tensor, up: &Tensor) -> Result<Tensor> {
        self.0.swiglu(gate, up)
    }
    fn target_log_probs(&self, hidden: &Tensor, head: &Weight, targets: &Tensor) -> Result<Tensor> {
        self.0.target_log_probs(hidden, head, targets)
    }
    fn take_gradients(&self) -> std::collections::BTreeMap<String, Tensor> {
        self.0.take_gradients()
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
        let (inputs, targets) = (tokens(2, 20, 40, seed), tokens(2, 20, 40, seed + 7));
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
    let inputs = tokens(2, 20, 40, 1);
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
        let loss = fused.next_token_loss(&tokens(1, 9, 40, 1), &tokens(1, 9, 40, 2), None).unwrap();
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
    let error = ops.embedding(&tokens(1, 4, 9, 0), &weight("embedding", (3, 8))).unwrap_err().to_string();
    assert!(error.contains("is not in the vocabulary of 3"), "{error}");
}

#[test]
fn one_step_of_adamw_is_the_reference_s() {
    let shapes = [vec![3, 5], vec![7], vec![1], vec![40, 1000]];
    let parameters = || {
        let mut parameters = tensors::Parameters::default();
        for (i, shape) in shapes.iter().enumerate() {
            let name = format!("p{i}");
            let value = tensors::normal(1, &name, shape.clone(), 1.0, &Device::Cpu).unwrap();
            parameters.insert(&name, &value).unwrap();
        }
        parameters
    };
    let gradients = |step: u64| {
        let mut gradients = Gradients::default();
        let named = shapes.iter().enumerate().map(|(i, shape)| {
            let name = format!("p{i}");
            let value = tensors::normal(step + 2, &name, shape.clone(), 0.3, &Device::Cpu).unwrap();
            (name, value)
        });
        gradients.extend(named.collect()).unwrap();
        gradients
    };
    let fused: Arc<dyn OptimizerOps> = Arc::new(Fused::new(Precision::F32, Activations::Keep));
    let (ours, theirs) = (parameters(), parameters());
    let config = AdamWConfig { weight_decay: 0.3, ..AdamWConfig::default() };
    let mut ours_optimizer = AdamW::new(config, &ours).unwrap().with_ops(fused.clone());
    let mut theirs_optimizer = AdamW::new(config, &theirs).unwrap();
    for step in 0..5 {
        let gradients = gradients(step);
        let (norm, expected) =
            (gradients.global_norm(fused.as_ref()).unwrap(), gradients.global_norm(&ReferenceOptimizer).unwrap());
        assert!((norm / expected - 1.0).abs() < 1e-5, "{norm} {expected}");
        ours_optimizer.step(&ours, &gradients, 0.1, 0.5).unwrap();
        theirs_optimizer.step(&theirs, &gradients, 0.1, 0.5).unwrap();
    }
    for ((name, ours), (_, theirs)) in ours.iter().zip(theirs.iter()) {
        let distance = relative_distance(ours.as_tensor(), theirs.as_tensor());
        assert!(distance < 1e-6, "{name} is off by {distance}");
    }
}

/// Learns the same batches again and again.
struct Repeat {
    model: Transformer,
    step: usize,
}

impl Task for Repeat {
    type Batch = usize;

    fn next_batch(&mut self) -> Result<usize> {
        self.step += 1;
        Ok(self.step % 4)
    }

    fn loss(&self, batch: &usize) -> Result<MicroLoss> {
        let (inputs, targets) = (tokens(2, 32, 60, *batch), tokens(2, 32, 60, batch + 11));
        let sum = self.model.next_token_loss(&inputs, &targets, None)?;
        Ok(MicroLoss { sum, n_targets: 64, n_tokens: 64, extras: Vec::new() })
    }

    fn forward(&self, model: &Transformer, batch: &usize) -> Result<()> {
        model.next_token_loss(&tokens(2, 32, 60, *batch), &tokens(2, 32, 60, batch + 11), None).map(|_| ())
    }

    fn validate(&mut self) -> Result<Vec<(String, f64)>> {
        Ok(Vec::new())
    }

    fn state(&self) -> serde_json::Value {
        self.step.into()
    }

    fn restore(&mut self, state: &serde_json::Value) -> Result<()> {
        self.step = state.as_u64().unwrap_or(0) as usize;
        Ok(())
    }
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
    let losses = |ops: Option<Fused>| {
        let model = Transformer::new(config(32, 2, 1, 48, 60), 3, &Device::Cpu).unwrap();
        let model = match &ops {
            Some(ops) => model.with_ops(Arc::new(ops.clone())).unwrap(),
            None => model,
        };
        let settings = TrainConfig {
            steps: 30,
            micro_batches: 2,
            schedule: Schedule { peak_lr: 3e-3, warmup_steps: 5, final_ratio: 0.1 },
            optimizer: AdamWConfig::default(),
            clip_norm: 1.0,
            validate_every: 0,
            checkpoint_every: 0,
            keep_checkpoints: 1,
        };
        let trainer = Trainer::new(&model, settings).unwrap();
        let mut trainer = match ops {
            Some(ops) => trainer.with_optimizer_ops(Arc::new(ops)),
            None => trainer,
        };
        let mut losses = Vec::new();
        let mut task = Repeat { model: model.clone(), step: 0 };
        trainer.run(&mut task, None, &mut |metrics| losses.push(metrics.loss)).unwrap();
        losses
    };
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
