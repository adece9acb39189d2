//! What several test files need; each uses a part of it.
#![allow(dead_code)]

pub mod primitives;

use std::sync::Arc;

use candle_core::{Device, Result, Tensor};
use training::{
    AdamW, AdamWConfig, Gradients, MicroLoss, OptimizerOps, ReferenceOptimizer, Schedule, Task, TrainConfig, Trainer,
};
use transformer::{Architecture, ModelConfig, Ops, Transformer};

/// Two layers of a Llama.
pub fn config(d_model: usize, n_heads: usize, n_kv_heads: usize, d_ff: usize, vocab_size: usize) -> ModelConfig {
    ModelConfig {
        vocab_size,
        d_model,
        n_layers: 2,
        n_heads,
        n_kv_heads,
        d_ff,
        max_seq_len: 160,
        rope_theta: 10_000.0,
        norm_eps: 1e-5,
        architecture: Architecture::LLAMA,
        tie_embeddings: false,
        init_std: 0.08,
    }
}

/// Sizes that are multiples of nothing, groups of one and three, tied and not; with batch and length.
pub fn shapes() -> Vec<(ModelConfig, usize, usize)> {
    let tied = ModelConfig { tie_embeddings: true, ..config(48, 4, 2, 100, 77) };
    vec![
        (config(64, 4, 4, 128, 96), 2, 64),
        (config(30, 3, 1, 37, 51), 3, 17),
        (tied, 1, 90),
        (config(16, 2, 2, 8, 33), 1, 1),
    ]
}

pub fn tokens(batch: usize, seq_len: usize, vocab_size: usize, seed: usize, device: &Device) -> Tensor {
    // Every third token is the same: its gradient is a long sum.
    let id = |i: usize| if i.is_multiple_of(3) { 5 } else { (i * 7919 + seed * 31) % vocab_size };
    let ids: Vec<u32> = (0..batch * seq_len).map(|i| id(i) as u32).collect();
    Tensor::from_vec(ids, (batch, seq_len), device).unwrap()
}

/// A mask that leaves out every third target.
fn mask(batch: usize, seq_len: usize, device: &Device) -> Tensor {
    let values: Vec<f32> = (0..batch * seq_len).map(|i| if i % 3 == 1 { 0.0 } else { 1.0 }).collect();
    Tensor::from_vec(values, (batch, seq_len), device).unwrap()
}

pub fn loss_and_gradients(model: &Transformer, batch: usize, seq_len: usize) -> (f32, Gradients) {
    let (vocab_size, device) = (model.config().vocab_size, model.device());
    let inputs = tokens(batch, seq_len, vocab_size, 1, device);
    let targets = tokens(batch, seq_len, vocab_size, 5, device);
    let loss = model.next_token_loss(&inputs, &targets, Some(&mask(batch, seq_len, device))).unwrap();
    let mut gradients = Gradients::of_graph(&loss, model.parameters()).unwrap();
    gradients.extend(model.ops().take_gradients()).unwrap();
    gradients.check_coverage(model.parameters()).unwrap();
    (loss.to_scalar().unwrap(), gradients)
}

/// ‖a − b‖ / ‖b‖; NaN if there is one anywhere.
pub fn relative_distance(a: &Tensor, b: &Tensor) -> f32 {
    let norm = |x: &Tensor| x.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap().sqrt();
    norm(&(a - b).unwrap()) / (norm(b) + 1e-12)
}

/// Compares the loss and every gradient.
pub fn assert_close(
    fast: &Transformer,
    reference: &Transformer,
    batch: usize,
    seq_len: usize,
    tolerance: f32,
    what: &str,
) {
    let (expected_loss, expected) = loss_and_gradients(reference, batch, seq_len);
    let (loss, found) = loss_and_gradients(fast, batch, seq_len);
    assert!((loss - expected_loss).abs() < tolerance * expected_loss.abs(), "{what}: loss {loss}, not {expected_loss}");
    let mut worst = 0.0_f32;
    for (name, _) in reference.parameters().iter() {
        let (expected, found) = (expected.get(name).unwrap(), found.get(name).unwrap());
        // With one token, queries and keys have no gradient at all: the softmax of one score is constant.
        // Nor has a bias of keys that are not rotated: it adds the same to all scores of a query, and softmax does not see that.
        let is_nothing = expected.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap() < 1e-7
            || name.ends_with("attention.k.bias") && reference.config().rope_scaling().is_none();
        if is_nothing {
            continue;
        }
        let distance = relative_distance(found, expected);
        assert!(distance < tolerance, "{what}: the gradient of {name} is off by {distance}");
        worst = worst.max(distance);
    }
    println!("{what}, {batch} x {seq_len}: worst gradient off by {worst:.1e}");
}

/// Three steps of AdamW, clipped, with `ops` and with the reference; the gradients' norm too.
pub fn assert_adamw_is_the_reference_s(ops: Arc<dyn OptimizerOps>, device: &Device) {
    // The last one is longer than what one block, or one thread, works on.
    let shapes = [vec![3, 5], vec![7], vec![1], vec![70, 1000]];
    let tensors = |seed: u64, std: f64| {
        let of_shape = move |(i, shape): (usize, &Vec<usize>)| {
            let name = format!("p{i}");
            let value = tensors::normal(seed, &name, shape.clone(), std, device).unwrap();
            (name, value)
        };
        shapes.iter().enumerate().map(of_shape)
    };
    let parameters = || {
        let mut parameters = tensors::Parameters::default();
        for (name, value) in tensors(1, 1.0) {
            parameters.insert(&name, &value).unwrap();
        }
        parameters
    };
    let (ours, theirs) = (parameters(), parameters());
    let config = AdamWConfig { weight_decay: 0.3, ..AdamWConfig::default() };
    let mut ours_optimizer = AdamW::new(config, &ours).unwrap().with_ops(ops.clone());
    let mut theirs_optimizer = AdamW::new(config, &theirs).unwrap();
    for step in 0..3 {
        let mut gradients = Gradients::default();
        gradients.extend(tensors(step + 2, 0.3).collect()).unwrap();
        let (norm, expected) =
            (gradients.global_norm(ops.as_ref()).unwrap(), gradients.global_norm(&ReferenceOptimizer).unwrap());
        assert!((norm / expected - 1.0).abs() < 1e-5, "{norm} {expected}");
        ours_optimizer.step(&ours, &gradients, 0.1, 0.5).unwrap();
        theirs_optimizer.step(&theirs, &gradients, 0.1, 0.5).unwrap();
    }
    for ((name, ours), (_, theirs)) in ours.iter().zip(theirs.iter()) {
        let distance = relative_distance(ours.as_tensor(), theirs.as_tensor());
        assert!(distance < 1e-6, "{name} is off by {distance}");
    }
}

/// Learns the same four batches of a vocabulary of 60 again and again.
pub struct Repeat {
    pub model: Transformer,
    pub step: usize,
}

impl Repeat {
    fn loss_of(model: &Transformer, batch: usize) -> Result<Tensor> {
        let device = model.device();
        let (inputs, targets) = (tokens(2, 32, 60, batch, device), tokens(2, 32, 60, batch + 11, device));
        model.next_token_loss(&inputs, &targets, None)
    }
}

impl Task for Repeat {
    type Batch = usize;

    fn next_batch(&mut self) -> Result<usize> {
        self.step += 1;
        Ok(self.step % 4)
    }

    fn loss(&self, batch: &usize) -> Result<MicroLoss> {
        Ok(MicroLoss { sum: Self::loss_of(&self.model, *batch)?, n_targets: 64, n_tokens: 64, extras: Vec::new() })
    }

    fn forward(&self, model: &Transformer, batch: &usize) -> Result<()> {
        Self::loss_of(model, *batch).map(|_| ())
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

/// So many steps of so many micro-batches, without validation or checkpoints.
pub fn settings(steps: usize, micro_batches: usize, schedule: Schedule) -> TrainConfig {
    TrainConfig {
        steps,
        micro_batches,
        schedule,
        optimizer: AdamWConfig::default(),
        clip_norm: 1.0,
        validate_every: 0,
        checkpoint_every: 0,
        keep_checkpoints: 1,
    }
}

/// Losses of so many steps on [`Repeat`]'s batches, two micro-batches each; without `ops`, of the reference.
pub fn train<O: Ops + OptimizerOps + 'static>(model: Transformer, ops: Option<O>, steps: usize) -> Vec<f64> {
    let ops = ops.map(Arc::new);
    let model = ops.iter().fold(model, |model, ops| model.with_ops(ops.clone()).unwrap());
    let schedule = Schedule { peak_lr: 3e-3, warmup_steps: 5, final_ratio: 0.1 };
    let trainer = Trainer::new(&model, settings(steps, 2, schedule)).unwrap();
    // The copies that the model works on are the ones that the optimiser writes.
    let mut trainer = ops.into_iter().fold(trainer, |trainer, ops| trainer.with_optimizer_ops(ops));
    let mut task = Repeat { model: model.clone(), step: 0 };
    (0..steps).map(|_| trainer.train_step(&mut task).unwrap().loss).collect()
}
