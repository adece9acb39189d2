//! The trainer's promises: it equals PyTorch, cutting a batch changes nothing, a resumed run equals the uninterrupted one bit for bit
//! with any number of threads, and a kill during a save harms nothing.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use batches::Batch;
use candle_core::{Device, Result, Tensor};
use rayon::ThreadPoolBuilder;
use tensors::{Parameters, difference};
use training::gradients::clip_factor;
use training::{
    AdamW, AdamWConfig, Gradients, MicroLoss, ReferenceOptimizer, RunDir, Schedule, Task, TrainConfig, Trainer,
    Utilisation, next_token_loss,
};
use transformer::{Architecture, ModelConfig, Transformer};

const CPU: Device = Device::Cpu;

/// Reads `tests/reference/optimizer.json`, which `optimizer.py` made with PyTorch.
fn reference() -> serde_json::Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/reference/optimizer.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn matrix(value: &serde_json::Value) -> Vec<Vec<f32>> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn adamw_schedule_and_clipping_equal_pytorch() {
    let reference = reference();
    let mut parameters = Parameters::default();
    let w = parameters.insert("w", &Tensor::new(matrix(&reference["w"]), &CPU).unwrap()).unwrap();
    let gain: Vec<f32> = serde_json::from_value(reference["gain"].clone()).unwrap();
    let gain = parameters.insert("gain", &Tensor::new(gain, &CPU).unwrap()).unwrap();
    let x = Tensor::new(matrix(&reference["x"]), &CPU).unwrap();
    let schedule = Schedule { peak_lr: 0.05, warmup_steps: 3, final_ratio: 0.1 };
    let steps = reference["steps"].as_array().unwrap();
    let mut optimizer = AdamW::new(AdamWConfig::default(), &parameters).unwrap();
    for (step, expected) in steps.iter().enumerate() {
        let loss = x.matmul(&w).unwrap().broadcast_mul(&gain).unwrap().sqr().unwrap().sum_all().unwrap();
        let gradients = Gradients::of(&loss, &parameters).unwrap();
        let norm = gradients.global_norm(&ReferenceOptimizer).unwrap();
        let lr = schedule.learning_rate(step, steps.len());
        optimizer.step(&parameters, &gradients, lr, clip_factor(norm, 1.0)).unwrap();
        let close = |name: &str, found: f64| {
            let expected = expected[name].as_f64().unwrap();
            assert!(
                (found - expected).abs() <= 2e-6 * expected.abs(),
                "step {step}: {name} {found}, PyTorch {expected}"
            );
        };
        close("lr", lr);
        close("norm", norm);
        let expected_w = Tensor::new(matrix(&expected["w"]), &CPU).unwrap();
        let expected_gain: Vec<f32> = serde_json::from_value(expected["gain"].clone()).unwrap();
        assert!(difference(&w, &expected_w).unwrap().max_abs < 1e-6, "step {step}");
        assert!(difference(&gain, &Tensor::new(expected_gain, &CPU).unwrap()).unwrap().max_abs < 1e-6, "step {step}");
    }
}

fn tiny(d_ff: usize) -> Transformer {
    let config = ModelConfig {
        vocab_size: 32,
        d_model: 16,
        n_layers: 2,
        n_heads: 4,
        n_kv_heads: 2,
        d_ff,
        max_seq_len: 16,
        rope_theta: 10_000.0,
        norm_eps: 1e-5,
        architecture: Architecture::LLAMA,
        tie_embeddings: true,
        init_std: 0.05,
    };
    Transformer::new(config, 3, &CPU).unwrap()
}

/// A stream of batches that depends on a counter alone.
struct Counting<'a> {
    model: &'a Transformer,
    rows: usize,
    counter: u32,
    poison_at: Option<u32>,
}

fn counting(model: &Transformer) -> Counting<'_> {
    Counting { model, rows: 2, counter: 0, poison_at: None }
}

fn batch(rows: usize, salt: u32) -> Batch {
    let ids = |shift: u32| -> Vec<u32> { (0..(rows * 8) as u32).map(|i| (i * i + shift + salt * 7) % 32).collect() };
    let tensor = |shift| Tensor::from_vec(ids(shift), (rows, 8), &CPU).unwrap();
    Batch { inputs: tensor(0), targets: tensor(1), mask: None }
}

impl Task for Counting<'_> {
    type Batch = u32;

    fn next_batch(&mut self) -> Result<u32> {
        self.counter += 1;
        Ok(self.counter)
    }

    fn loss(&self, counter: &u32) -> Result<MicroLoss> {
        let mut loss = next_token_loss(self.model, &batch(self.rows, *counter))?;
        if self.poison_at == Some(*counter) {
            loss.sum = (loss.sum * f64::NAN)?;
        }
        Ok(loss)
    }

    fn validate(&mut self) -> Result<Vec<(String, f64)>> {
        let loss = next_token_loss(self.model, &batch(4, 1000))?;
        Ok(vec![("val_loss".to_string(), f64::from(loss.sum.to_scalar::<f32>()?) / loss.n_targets as f64)])
    }

    fn state(&self) -> serde_json::Value {
        self.counter.into()
    }

    fn restore(&mut self, state: &serde_json::Value) -> Result<()> {
        self.counter = state.as_u64().unwrap() as u32;
        Ok(())
    }
}

fn config(steps: usize) -> TrainConfig {
    TrainConfig {
        steps,
        micro_batches: 2,
        schedule: Schedule { peak_lr: 5e-3, warmup_steps: 3, final_ratio: 0.1 },
        optimizer: AdamWConfig::default(),
        clip_norm: 1.0,
        validate_every: 4,
        checkpoint_every: 4,
        keep_checkpoints: 2,
    }
}

fn distance(a: &Transformer, b: &Transformer) -> f64 {
    let pairs = a.parameters().tensors().zip(b.parameters().tensors());
    pairs.map(|((_, x), (_, y))| difference(&x, &y).unwrap().max_abs).fold(0.0, f64::max)
}

#[test]
fn a_resumed_run_equals_the_uninterrupted_one_bit_for_bit() {
    let (whole, part) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (run, other) = (RunDir::create(whole.path()).unwrap(), RunDir::create(part.path()).unwrap());
    let uninterrupted = tiny(24);
    Trainer::new(&uninterrupted, config(10))
        .unwrap()
        .run(&mut counting(&uninterrupted), Some(&run), &mut |_| {})
        .unwrap();

    // Dies of a NaN in step 7, after a checkpoint at step 4 and log lines up to step 6.
    let model = tiny(24);
    let mut dying = Counting { poison_at: Some(14), ..counting(&model) };
    let error = Trainer::new(&model, config(10)).unwrap().run(&mut dying, Some(&other), &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("step 7: training diverged"), "{error}");
    assert_eq!(other.metrics().unwrap().len(), 6);

    let resumed = tiny(24);
    let mut task = counting(&resumed);
    let mut trainer = Trainer::new(&resumed, config(10)).unwrap();
    assert_eq!(trainer.resume(&mut task, &other).unwrap(), 4);
    trainer.run(&mut task, Some(&other), &mut |_| {}).unwrap();
    assert_eq!(distance(&resumed, &uninterrupted), 0.0);
    let reproducible = |run: &RunDir| -> Vec<_> {
        run.metrics().unwrap().into_iter().map(|m| (m.step, m.loss, m.grad_norm, m.lr, m.n_tokens, m.extras)).collect()
    };
    assert_eq!(reproducible(&other), reproducible(&run));
    assert_eq!(reproducible(&run).len(), 10);
    assert!(run.metrics().unwrap()[3].extras.contains_key("val_loss"));
    assert!(!run.metrics().unwrap()[4].extras.contains_key("val_loss"));
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let trained = |n_threads: usize| {
        let model = tiny(24);
        let pool = ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| {
            let config = TrainConfig { micro_batches: 4, ..config(5) };
            Trainer::new(&model, config).unwrap().run(&mut counting(&model), None, &mut |_| {}).unwrap();
        });
        model
    };
    let one = trained(1);
    assert_eq!(distance(&one, &trained(3)), 0.0);
    assert!(distance(&one, &tiny(24)) > 0.0, "five steps move the weights");
}

#[test]
fn micro_batches_change_nothing_but_rounding() {
    let (one, two) = (tiny(24), tiny(24));
    // The same four rows at once, and in two halves.
    struct Rows<'a>(&'a Transformer, Vec<Batch>);
    impl Task for Rows<'_> {
        type Batch = Batch;
        fn next_batch(&mut self) -> Result<Batch> {
            Ok(self.1.remove(0))
        }
        fn loss(&self, batch: &Batch) -> Result<MicroLoss> {
            next_token_loss(self.0, batch)
        }
        fn validate(&mut self) -> Result<Vec<(String, f64)>> {
            Ok(Vec::new())
        }
        fn state(&self) -> serde_json::Value {
            serde_json::Value::Null
        }
        fn restore(&mut self, _: &serde_json::Value) -> Result<()> {
            Ok(())
        }
    }
    // Only the first three targets of the first row count: halves of 3 + 8 and of 16 targets.
    let mask: Vec<f32> = (0..32).map(|i| if (3..8).contains(&i) { 0.0 } else { 1.0 }).collect();
    let whole = Batch { mask: Some(Tensor::from_vec(mask, (4, 8), &CPU).unwrap()), ..batch(4, 5) };
    let half = |start| {
        let cut = |t: &Tensor| t.narrow(0, start, 2).unwrap().contiguous().unwrap();
        Batch { inputs: cut(&whole.inputs), targets: cut(&whole.targets), mask: whole.mask.as_ref().map(cut) }
    };
    let halves = vec![half(0), half(2)];
    let single = TrainConfig { micro_batches: 1, ..config(1) };
    let a = Trainer::new(&one, single).unwrap().train_step(&mut Rows(&one, vec![whole.clone()])).unwrap();
    let b = Trainer::new(&two, config(1)).unwrap().train_step(&mut Rows(&two, halves)).unwrap();
    assert!((a.loss - b.loss).abs() < 1e-6 && (a.grad_norm / b.grad_norm - 1.0).abs() < 1e-5, "{a:?} {b:?}");
}

#[test]
fn extras_are_means_over_targets() {
    // Reports the number of rows; its micro-batches have 1 and 3 of them, so 8 targets see a 1 and 24 a 3.
    struct Growing<'a>(Counting<'a>);
    impl Task for Growing<'_> {
        type Batch = u32;
        fn next_batch(&mut self) -> Result<u32> {
            self.0.next_batch()
        }
        fn loss(&self, counter: &u32) -> Result<MicroLoss> {
            let rows = 2 * *counter as usize - 1;
            let loss = next_token_loss(self.0.model, &batch(rows, 0))?;
            Ok(MicroLoss { extras: vec![("rows", rows as f64)], ..loss })
        }
        fn validate(&mut self) -> Result<Vec<(String, f64)>> {
            Ok(Vec::new())
        }
        fn state(&self) -> serde_json::Value {
            self.0.state()
        }
        fn restore(&mut self, state: &serde_json::Value) -> Result<()> {
            self.0.restore(state)
        }
    }
    let model = tiny(24);
    let metrics = Trainer::new(&model, config(1)).unwrap().train_step(&mut Growing(counting(&model))).unwrap();
    assert_eq!(metrics.extras["rows"], (8.0 * 1.0 + 24.0 * 3.0) / 32.0);
}

#[test]
fn norms_do_not_decay_and_matrices_do() {
    let mut parameters = Parameters::default();
    let gain = parameters.insert("gain", &Tensor::new(&[1f32, 1.0], &CPU).unwrap()).unwrap();
    let matrix = parameters.insert("matrix", &Tensor::new(&[[1f32, 1.0]], &CPU).unwrap()).unwrap();
    // candle cuts the graph at a multiplication by the number 0, but not at one by a tensor of zeros.
    let zeros = Tensor::new(&[0f32, 0.0], &CPU).unwrap();
    let nothing = (&gain * &matrix.squeeze(0).unwrap()).unwrap().mul(&zeros).unwrap().sum_all().unwrap();
    let gradients = Gradients::of(&nothing, &parameters).unwrap();
    let mut optimizer = AdamW::new(AdamWConfig { weight_decay: 0.5, ..AdamWConfig::default() }, &parameters).unwrap();
    optimizer.step(&parameters, &gradients, 0.1, 1.0).unwrap();
    assert_eq!(gain.to_vec1::<f32>().unwrap(), [1.0, 1.0]);
    assert_eq!(matrix.to_vec2::<f32>().unwrap(), [[0.95, 0.95]]);
}

#[test]
fn a_parameter_without_gradient_is_an_error() {
    let mut parameters = Parameters::default();
    let used = parameters.insert("used", &Tensor::new(&[1f32], &CPU).unwrap()).unwrap();
    parameters.insert("forgotten", &Tensor::new(&[1f32], &CPU).unwrap()).unwrap();
    let error = Gradients::of(&used.sum_all().unwrap(), &parameters).unwrap_err().to_string();
    assert!(error.contains("parameter forgotten receives no gradient"), "{error}");
}

/// The first four steps of a run of `steps`, which leave a checkpoint of step 4.
fn trained(folder: &Path, steps: usize) -> RunDir {
    let run = RunDir::create(folder).unwrap();
    let model = tiny(24);
    let mut trainer = Trainer::new(&model, config(steps)).unwrap();
    let mut task = counting(&model);
    for _ in 0..4 {
        run.append(&trainer.train_step(&mut task).unwrap()).unwrap();
    }
    trainer.save(&task, &run).unwrap();
    run
}

fn resume_error(run: &RunDir, model: &Transformer, config: TrainConfig) -> String {
    Trainer::new(model, config).unwrap().resume(&mut counting(model), run).unwrap_err().to_string()
}

// ANCHOR: kill
#[test]
fn a_kill_during_a_save_leaves_a_checkpoint_that_loads() {
    let folder = tempfile::tempdir().unwrap();
    let run = trained(folder.path(), 8);
    let complete = run.checkpoints().join("step-000004");
    let partial = run.checkpoints().join("step-000008.tmp");
    fs::create_dir(&partial).unwrap();
    // Whatever prefix of the files was written, and however far the last of them got.
    let files: Vec<_> = fs::read_dir(&complete).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 4, "{files:?}");
    for file in files {
        let bytes = fs::read(&file).unwrap();
        fs::write(partial.join(file.file_name().unwrap()), &bytes[..bytes.len() / 2]).unwrap();
        let model = tiny(24);
        let step = Trainer::new(&model, config(8)).unwrap().resume(&mut counting(&model), &run).unwrap();
        assert_eq!(step, 4);
    }
    // The leftovers neither keep the save of step 8 from succeeding nor get into it.
    fs::write(partial.join("stray"), "").unwrap();
    let model = tiny(24);
    let mut task = counting(&model);
    let mut trainer = Trainer::new(&model, config(8)).unwrap();
    trainer.resume(&mut task, &run).unwrap();
    trainer.run(&mut task, Some(&run), &mut |_| {}).unwrap();
    assert_eq!(names_in(&run.checkpoints()), ["step-000004", "step-000008"]);
    assert_eq!(names_in(&run.checkpoints().join("step-000008")), names_in(&complete));
    let loaded = tiny(24);
    assert_eq!(Trainer::new(&loaded, config(8)).unwrap().resume(&mut counting(&loaded), &run).unwrap(), 8);
    assert_eq!(distance(&loaded, &model), 0.0);
}
// ANCHOR_END: kill

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_checkpoint_of_the_same_step_is_replaced_whatever_a_kill_left() {
    let folder = tempfile::tempdir().unwrap();
    let run = trained(folder.path(), 8);
    let complete = run.checkpoints().join("step-000004");
    let aside = run.checkpoints().join("step-000004.old.tmp");
    let save_again = || {
        trained(folder.path(), 8);
        assert_eq!(names_in(&run.checkpoints()), ["step-000004"]);
        let model = tiny(24);
        assert_eq!(Trainer::new(&model, config(8)).unwrap().resume(&mut counting(&model), &run).unwrap(), 4);
    };
    save_again();
    // Killed when the old one had been renamed and the new one had not.
    fs::rename(&complete, &aside).unwrap();
    save_again();
    // Killed before the old one was deleted.
    fs::create_dir(&aside).unwrap();
    fs::write(aside.join("stray"), "").unwrap();
    save_again();
}

#[test]
fn only_the_last_line_of_the_log_may_be_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let run = trained(folder.path(), 8);
    let whole = fs::read_to_string(run.metrics_file()).unwrap();
    let steps = || run.metrics().unwrap().iter().map(|metrics| metrics.step).collect::<Vec<_>>();
    assert_eq!(steps(), [1, 2, 3, 4]);
    // A kill cut the last line short.
    fs::write(run.metrics_file(), &whole[..whole.len() - 10]).unwrap();
    assert_eq!(steps(), [1, 2, 3]);
    run.truncate_metrics(4).unwrap();
    let kept: String = whole.split_inclusive('\n').take(3).collect();
    assert_eq!(fs::read_to_string(run.metrics_file()).unwrap(), kept);
    // No kill does this, so nothing is dropped in silence.
    let broken = whole.replacen("\"step\":3", "\"step\":", 1);
    fs::write(run.metrics_file(), &broken).unwrap();
    for error in [run.metrics().unwrap_err(), run.truncate_metrics(2).unwrap_err()] {
        assert!(error.to_string().contains("line 3 of") && error.to_string().contains("metrics.jsonl"), "{error}");
    }
    assert_eq!(fs::read_to_string(run.metrics_file()).unwrap(), broken);
}

#[test]
fn a_value_that_is_no_number_does_not_become_null() {
    let folder = tempfile::tempdir().unwrap();
    let run = trained(folder.path(), 8);
    let mut metrics = run.metrics().unwrap().remove(3);
    metrics.extras.insert("val_loss".to_string(), f64::NAN);
    let error = run.append(&metrics).unwrap_err().to_string();
    assert!(error.contains("val_loss is NaN at step 4"), "{error}");
    assert_eq!(run.metrics().unwrap().len(), 4);
}

#[test]
fn utilisation_is_flops_per_token_times_speed_over_the_peak() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::create(folder.path()).unwrap();
    let model = tiny(24);
    let flops_per_token = transformer::flops_per_token(model.config(), 8);
    let utilisation = Utilisation::new(model.config(), 8, Some(1e12));
    let mut trainer = Trainer::new(&model, config(2)).unwrap().with_utilisation(utilisation);
    let mut seen = Vec::new();
    trainer.run(&mut counting(&model), Some(&run), &mut |metrics| seen.push(metrics.clone())).unwrap();
    for metrics in &seen {
        let flops_per_s = flops_per_token * metrics.tokens_per_s;
        assert!((metrics.flops_per_s.unwrap() / flops_per_s - 1.0).abs() < 1e-12);
        assert!((metrics.mfu.unwrap() / (flops_per_s / 1e12) - 1.0).abs() < 1e-12);
    }
    assert_eq!(run.metrics().unwrap().iter().filter(|metrics| metrics.mfu.is_some()).count(), 2, "the log has them");
    let unknown = Utilisation::new(model.config(), 8, None);
    assert_eq!((unknown.mfu(100.0), unknown.flops_per_s(100.0)), (None, 100.0 * flops_per_token));
}

#[test]
fn checkpoints_of_other_settings_or_models_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let run = trained(folder.path(), 4);
    let error = resume_error(&run, &tiny(24), TrainConfig { clip_norm: 2.0, ..config(4) });
    assert!(error.contains("clip_norm is 1.0 there and 2.0 here") && error.contains("--force"), "{error}");
    let error = resume_error(&run, &tiny(40), config(4));
    assert!(error.contains("another size: d_ff is 24 there and 40 here") && error.contains("--force"), "{error}");
}

#[test]
fn a_damaged_checkpoint_names_its_file_and_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let run = trained(folder.path(), 4);
    for file in ["trainer.json", "config.json", "optimizer.safetensors", "model.safetensors"] {
        let path = run.checkpoints().join("step-000004").join(file);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let error = resume_error(&run, &tiny(24), config(4));
        assert!(error.contains(file) && error.contains("step-000004 is damaged: delete this folder"), "{error}");
        fs::write(&path, &bytes).unwrap();
    }
}

#[test]
fn only_the_newest_checkpoints_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::create(folder.path()).unwrap();
    let model = tiny(24);
    let config = TrainConfig { checkpoint_every: 2, ..config(9) };
    Trainer::new(&model, config).unwrap().run(&mut counting(&model), Some(&run), &mut |_| {}).unwrap();
    let steps: Vec<usize> =
        training::checkpoint::list(&run.checkpoints()).unwrap().into_iter().map(|(step, _)| step).collect();
    assert_eq!(steps, [8, 9]);
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let model = tiny(24);
    let message = |config: TrainConfig| Trainer::new(&model, config).unwrap_err().to_string();
    assert!(message(config(0)).contains("steps 0"));
    let schedule = Schedule { peak_lr: f64::NAN, ..config(1).schedule };
    assert!(message(TrainConfig { schedule, ..config(1) }).contains("peak_lr NaN"));
    assert!(message(TrainConfig { clip_norm: 0.0, ..config(1) }).contains("clip_norm 0"));
    let optimizer = config(1).optimizer;
    for eps in [0.0, -1e-8, f64::NAN, f64::INFINITY] {
        let config = TrainConfig { optimizer: AdamWConfig { eps, ..optimizer }, ..config(1) };
        assert!(message(config).contains(&format!("eps {eps} must be")), "{eps}");
    }
    for weight_decay in [-0.1, f64::NAN, f64::INFINITY] {
        let config = TrainConfig { optimizer: AdamWConfig { weight_decay, ..optimizer }, ..config(1) };
        assert!(message(config).contains(&format!("weight_decay {weight_decay} must be")), "{weight_decay}");
    }
}
