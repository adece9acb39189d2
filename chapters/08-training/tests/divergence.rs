//! A step that is not finite says where: faults are planted in a weight, in sizes that overflow, and in the backward pass alone.
#![allow(clippy::unwrap_used)]

use batches::Batch;
use candle_core::{Device, Result, Tensor};
use serde_json::{Value, json};
use training::{MicroLoss, Task, TrainConfig, Trainer, next_token_loss};
use transformer::Transformer;

fn model() -> Transformer {
    let sizes = json!({
        "vocab_size": 32, "d_model": 16, "n_layers": 3, "n_heads": 2, "n_kv_heads": 1, "d_ff": 24, "max_seq_len": 8,
    });
    Transformer::new(serde_json::from_value(sizes).unwrap(), 3, &Device::Cpu).unwrap()
}

/// The same two micro-batches in every step, of tokens below 16 and of others.
struct Two<'a> {
    model: &'a Transformer,
    n_read: u32,
    /// Adds this to the sum.
    extra_loss: Option<Tensor>,
    shows_forward_pass: bool,
}

impl Two<'_> {
    fn of(model: &Transformer) -> Two<'_> {
        Two { model, n_read: 0, extra_loss: None, shows_forward_pass: true }
    }
}

impl Task for Two<'_> {
    type Batch = Batch;

    fn next_batch(&mut self) -> Result<Batch> {
        let first = 16 * (self.n_read % 2);
        self.n_read += 1;
        Batch::from_rows(&(0..9).map(|i| first + i * 7 % 16).collect::<Vec<_>>(), 8, &Device::Cpu)
    }

    fn loss(&self, batch: &Batch) -> Result<MicroLoss> {
        let mut loss = next_token_loss(self.model, batch)?;
        if let Some(extra) = &self.extra_loss {
            loss.sum = (loss.sum + extra)?;
        }
        Ok(loss)
    }

    fn forward(&self, model: &Transformer, batch: &Batch) -> Result<()> {
        if self.shows_forward_pass { next_token_loss(model, batch).map(|_| ()) } else { Ok(()) }
    }

    fn validate(&mut self) -> Result<Vec<(String, f64)>> {
        Ok(Vec::new())
    }

    fn state(&self) -> Value {
        Value::Null
    }

    fn restore(&mut self, _state: &Value) -> Result<()> {
        Ok(())
    }
}

/// What a step says that must fail, and that it left the weights alone.
fn message(model: &Transformer, task: &mut Two) -> String {
    let config = json!({ "steps": 4, "micro_batches": 2, "schedule": { "peak_lr": 0.01, "warmup_steps": 2 } });
    let config: TrainConfig = serde_json::from_value(config).unwrap();
    let bits = |model: &Transformer| -> Vec<Vec<u32>> {
        let values =
            model.parameters().tensors().map(|(_, value)| value.flatten_all().unwrap().to_vec1::<f32>().unwrap());
        values.map(|values| values.into_iter().map(f32::to_bits).collect()).collect()
    };
    let before = bits(model);
    let error = Trainer::new(model, config).unwrap().train_step(task).unwrap_err().to_string();
    assert_eq!(bits(model), before);
    assert!(error.contains("at step 1: training diverged"), "{error}");
    assert!(error.contains("peak_lr below 0.01, more warmup_steps than 2"), "{error}");
    error
}

/// Changes the values of a weight.
fn change(model: &Transformer, name: &str, change: impl Fn(usize, f32) -> f32) {
    let var = model.parameters().get(name).unwrap();
    let values = var.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let values: Vec<f32> = values.into_iter().enumerate().map(|(i, x)| change(i, x)).collect();
    var.set(&Tensor::from_vec(values, var.shape(), &Device::Cpu).unwrap()).unwrap();
}

#[test]
fn a_poisoned_weight_is_named_with_its_layer() {
    for (weight, place) in [
        ("layers.1.attention.q", "layers.1 attention: "),
        ("layers.1.mlp_norm", "layers.1 feed-forward: 128 of 128 numbers are not finite"),
        ("layers.2.mlp.down", "layers.2 feed-forward: 8 of 128 numbers are not finite"),
        ("final_norm", "final_norm: 8 of 128 numbers are not finite"),
    ] {
        let model = model();
        change(&model, weight, |i, x| if i == 5 { f32::NAN } else { x });
        let message = message(&model, &mut Two::of(&model));
        assert!(message.contains(&format!("Where: {place}")), "{message}");
        assert!(message.contains(&format!("(of its weight {weight}, 1 of ")), "{message}");
        assert!(message.contains("in micro-batch 1 of 2"), "{message}");
    }
}

#[test]
fn the_micro_batch_is_the_one_that_fails() {
    let model = model();
    // Token 21 is in the second micro-batch alone; the head is the embedding, which spoils the first at its very end.
    change(&model, "embedding", |i, x| if i == 21 * 16 { f32::NAN } else { x });
    let text = message(&model, &mut Two::of(&model));
    assert!(text.contains("Where: log-probabilities of the targets: 8 of 8") && text.contains("1 of 2"), "{text}");
    let mut task = Two { n_read: 1, ..Two::of(&model) };
    let text = message(&model, &mut task);
    assert!(text.contains("Where: embedding: 1 of 128 numbers are not finite") && text.contains("1 of 2"), "{text}");
}

#[test]
fn numbers_that_overflow_are_told_from_weights_that_are_broken() {
    let model = model();
    change(&model, "final_norm", |_, x| 1e37 * x);
    change(&model, "embedding", |_, x| 1e4 * x);
    let message = message(&model, &mut Two::of(&model));
    assert!(message.contains("Where: log-probabilities of the targets: 8 of 8"), "{message}");
    assert!(message.contains("its input was, with numbers up to ") && message.contains("e37"), "{message}");
}

#[test]
fn a_gradient_that_alone_is_not_finite_is_named() {
    let model = model();
    let root_at_zero = |name: &str| {
        let weight = model.parameters().get(name).unwrap();
        (weight.as_tensor() - weight.as_tensor().detach()).unwrap().sqr().unwrap().sum_all().unwrap().sqrt().unwrap()
    };
    // The value is 0 and the slope of a root is not finite there.
    let extra = (root_at_zero("layers.1.mlp.down") + root_at_zero("layers.0.attention.q")).unwrap();
    let message = message(&model, &mut Two { extra_loss: Some(extra), ..Two::of(&model) });
    let place =
        "Where: the gradient of layers.1.mlp.down: 384 of 384 numbers are not finite; every activation is finite";
    assert!(message.contains(place), "{message}");
}

#[test]
fn what_cannot_be_seen_is_not_claimed() {
    let model = model();
    let not_a_number = Tensor::new(f32::NAN, &Device::Cpu).unwrap();
    let mut task = Two { extra_loss: Some(not_a_number), ..Two::of(&model) };
    let text = message(&model, &mut task);
    assert!(text.contains("Where: in the task's own loss, every activation is finite"), "{text}");
    task.shows_forward_pass = false;
    assert!(message(&model, &mut task).contains("Where: unknown, the task has no forward pass to watch"));
}
