//! Pretraining on real shards: what is refused, what the guesses are worth, and that a resumed run is the uninterrupted one.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use batches::{ShardConfig, ShardWriter, Shards};
use candle_core::Device;
use pretraining::{PretrainConfig, Pretraining, baselines};
use tensors::{difference, gradient_coverage};
use training::{AdamWConfig, RunDir, Schedule, Task, TrainConfig, Trainer};
use transformer::{Architecture, ModelConfig, Transformer};

const VOCAB_SIZE: usize = 20;

/// Shards of documents; the end-of-text token is 0.
fn shards(folder: &Path, vocab_size: usize, documents: &[Vec<u32>]) -> Shards {
    let config = ShardConfig { vocab_size, eot_id: 0, tokens_per_shard: 100 };
    let mut writer = ShardWriter::create(folder, config).unwrap();
    for document in documents {
        writer.push_document(document).unwrap();
    }
    writer.finish().unwrap();
    Shards::open(folder).unwrap()
}

/// Documents that count up from different starts.
fn counting(n_documents: u32) -> Vec<Vec<u32>> {
    (0..n_documents).map(|d| (0..15).map(|i| 1 + (d * 7 + i) % (VOCAB_SIZE as u32 - 1)).collect()).collect()
}

fn model() -> Transformer {
    let config = ModelConfig {
        vocab_size: VOCAB_SIZE,
        d_model: 16,
        n_layers: 1,
        n_heads: 2,
        n_kv_heads: 1,
        d_ff: 24,
        max_seq_len: 8,
        rope_theta: 10_000.0,
        norm_eps: 1e-5,
        architecture: Architecture::LLAMA,
        tie_embeddings: true,
        init_std: 0.1,
    };
    Transformer::new(config, 0, &Device::Cpu).unwrap()
}

fn config(steps: usize, validate_every: usize) -> PretrainConfig {
    PretrainConfig {
        batch_size: 4,
        seq_len: 8,
        val_batches: 2,
        train: TrainConfig {
            steps,
            micro_batches: 2,
            schedule: Schedule { peak_lr: 1e-2, warmup_steps: 2, final_ratio: 0.1 },
            optimizer: AdamWConfig::default(),
            clip_norm: 1.0,
            validate_every,
            checkpoint_every: 5,
            keep_checkpoints: 1,
        },
    }
}

struct Data {
    folder: tempfile::TempDir,
}

impl Data {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        shards(&folder.path().join("train"), VOCAB_SIZE, &counting(30));
        shards(&folder.path().join("validation"), VOCAB_SIZE, &counting(6));
        Self { folder }
    }

    fn task<'a>(&self, model: &'a Transformer, config: &PretrainConfig) -> candle_core::Result<Pretraining<'a>> {
        let open = |name: &str| Shards::open(self.folder.path().join(name)).unwrap();
        Pretraining::new(model, open("train"), open("validation"), config.clone(), 9)
    }
}

/// Trains a fresh model to the end of `config`; returns it with the losses of its steps.
fn trained(data: &Data, config: &PretrainConfig) -> (Transformer, Vec<f64>) {
    let (model, mut losses) = (model(), Vec::new());
    let mut task = data.task(&model, config).unwrap();
    Trainer::new(&model, config.train.clone()).unwrap().run(&mut task, None, &mut |m| losses.push(m.loss)).unwrap();
    (model, losses)
}

fn distance(a: &Transformer, b: &Transformer) -> f64 {
    let pairs = a.parameters().tensors().zip(b.parameters().tensors());
    pairs.map(|((_, x), (_, y))| difference(&x, &y).unwrap().max_abs).fold(0.0, f64::max)
}

#[test]
fn a_resumed_run_reads_the_same_batches_and_ends_with_the_same_bits() {
    let data = Data::new();
    // More steps than an epoch has batches, so that the resumed part crosses into another order.
    let config = config(17, 4);
    let (uninterrupted, losses) = trained(&data, &config);

    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::create(folder.path()).unwrap();
    let interrupted = model();
    let mut task = data.task(&interrupted, &config).unwrap();
    let mut trainer = Trainer::new(&interrupted, config.train.clone()).unwrap();
    for _ in 0..10 {
        trainer.train_step(&mut task).unwrap();
    }
    trainer.save(&task, &run).unwrap();
    // Work after the last checkpoint is lost by the interruption and done again.
    trainer.train_step(&mut task).unwrap();

    let resumed = model();
    let mut task = data.task(&resumed, &config).unwrap();
    let mut trainer = Trainer::new(&resumed, config.train.clone()).unwrap();
    assert_eq!(trainer.resume(&mut task, &run).unwrap(), 10);
    let mut after = Vec::new();
    trainer.run(&mut task, Some(&run), &mut |m| after.push(m.loss)).unwrap();
    assert_eq!(after, losses[10..]);
    assert_eq!(distance(&resumed, &uninterrupted), 0.0);
}

#[test]
fn looking_at_the_validation_loss_does_not_change_training() {
    let data = Data::new();
    let (often, losses_often) = trained(&data, &config(6, 1));
    let (seldom, losses_seldom) = trained(&data, &config(6, 0));
    assert_eq!(losses_often, losses_seldom);
    assert_eq!(distance(&often, &seldom), 0.0);
}

#[test]
fn the_loss_falls_and_validation_sees_it() {
    let data = Data::new();
    let config = config(60, 0);
    let model = model();
    let mut task = data.task(&model, &config).unwrap();
    let before = task.validate().unwrap()[0].1;
    assert_eq!(task.validate().unwrap()[0].1, before, "the same text every time");
    assert!((before - (VOCAB_SIZE as f64).ln()).abs() < 0.3, "{before}");
    Trainer::new(&model, config.train.clone()).unwrap().run(&mut task, None, &mut |_| {}).unwrap();
    let after = task.validate().unwrap()[0].1;
    assert!(after < 0.5 * before, "counting is easy to learn: {before} before, {after} after");
}

#[test]
fn every_parameter_gets_a_gradient() {
    let data = Data::new();
    let model = model();
    let loss = data.task(&model, &config(1, 0)).unwrap().next_loss().unwrap();
    assert!(gradient_coverage(&loss.sum, model.parameters()).unwrap().is_complete());
    assert_eq!((loss.n_targets, loss.n_tokens), (32, 32));
}

#[test]
fn data_that_does_not_fit_is_refused_by_its_numbers() {
    let data = Data::new();
    let model = model();
    let error = |config: PretrainConfig| data.task(&model, &config).unwrap_err().to_string();
    let long = error(PretrainConfig { seq_len: 9, ..config(1, 0) });
    assert!(long.contains("seq_len 9 exceeds the model's max_seq_len 8"), "{long}");
    let large = error(PretrainConfig { batch_size: 1_000, ..config(1, 0) });
    assert!(large.contains("fewer than one batch of 1000"), "{large}");

    let folder = tempfile::tempdir().unwrap();
    let foreign = shards(&folder.path().join("foreign"), VOCAB_SIZE + 1, &counting(30));
    let good = |name: &str, n| shards(&folder.path().join(name), VOCAB_SIZE, &counting(n));
    let error = Pretraining::new(&model, foreign, good("v", 6), config(1, 0), 0).unwrap_err().to_string();
    assert!(error.contains("21 tokens exceeds the model's 20"), "{error}");
    // Validation text of less than one sequence would give a loss of nothing.
    let short = shards(&folder.path().join("short"), VOCAB_SIZE, &[vec![1, 2, 3]]);
    let error = Pretraining::new(&model, good("t", 30), short, config(1, 0), 0).unwrap_err().to_string();
    assert!(error.contains("4 tokens give 0 sequences of 8"), "{error}");
}

#[test]
fn settings_that_cannot_be_are_refused_before_anything_is_read() {
    let data = Data::new();
    let model = model();
    let error = |config: PretrainConfig| data.task(&model, &config).unwrap_err().to_string();
    let good = config(1, 0);
    for (config, expected) in [
        (PretrainConfig { batch_size: 0, ..good.clone() }, "batch_size 0,"),
        (PretrainConfig { seq_len: 0, ..good.clone() }, "seq_len 0 and"),
        (PretrainConfig { val_batches: 0, ..good.clone() }, "val_batches 0 must be at least 1"),
        (PretrainConfig { train: TrainConfig { steps: 0, ..good.train.clone() }, ..good.clone() }, "steps 0"),
    ] {
        let found = error(config);
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn guesses_equal_hand_counted_values() {
    let folder = tempfile::tempdir().unwrap();
    // The streams are 1 2 1 2 0 and 1 2 2 0: after each document the end-of-text token 0.
    let training = shards(&folder.path().join("train"), 3, &[vec![1, 2, 1, 2]]);
    let validation = shards(&folder.path().join("validation"), 3, &[vec![1, 2, 2]]);
    let mut stream = Vec::new();
    training.read(0, 5, &mut stream).unwrap();
    assert_eq!(stream, [1, 2, 1, 2, 0]);
    let found = baselines(&training, &validation, 100).unwrap();
    // Counted over the four tokens that have a successor: 1 twice, 2 twice. With one added to each of 3 tokens: 3/7, 3/7, 1/7.
    let unigram = -((3f64 / 7.0).ln() + (3f64 / 7.0).ln() + (1f64 / 7.0).ln()) / 3.0;
    // Pairs: 12 twice, 21 once, 20 once. The validation's pairs: 12 (3 of 5), 22 (1 of 5), 20 (2 of 5).
    let bigram = -((3f64 / 5.0).ln() + (1f64 / 5.0).ln() + (2f64 / 5.0).ln()) / 3.0;
    assert!((found.uniform - 3f64.ln()).abs() < 1e-12);
    assert!((found.unigram - unigram).abs() < 1e-12, "{} against {unigram}", found.unigram);
    assert!((found.bigram - bigram).abs() < 1e-12, "{} against {bigram}", found.bigram);
}
