//! The chapter's experiment: what the loss measures, a step of AdamW by hand, the shape of the schedule, why micro-batches are summed and not
//! averaged, and a model that learns a short text by heart, is stopped, and goes on as if nothing had happened.

use std::io::Write;

use batches::Batch;
use candle_core::{Device, Result, Tensor};
use tensors::{Parameters, difference};
use transformer::{Architecture, ModelConfig, Transformer};

use crate::gradients::clip_factor;
use crate::{AdamW, AdamWConfig, Gradients, MicroLoss, RunDir, Schedule, Task, TrainConfig, Trainer, next_token_loss};

/// Prints the tour. Takes a few seconds.
///
/// # Errors
/// If writing fails, or the temporary folder of its checkpoint cannot be used.
pub fn tour(out: &mut dyn Write) -> anyhow::Result<()> {
    loss_in_words(out)?;
    adamw_by_hand(out)?;
    clipping(out)?;
    schedule(out)?;
    uneven_micro_batches(out)?;
    overfit(out)?;
    resume(out)?;
    Ok(())
}

fn loss_in_words(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== what a loss means ==")?;
    writeln!(out, "loss (nats) | perplexity | probability of the right token")?;
    for perplexity in [4096.0, 512.0, 64.0, 8.0, 2.0] {
        let loss = f64::ln(perplexity);
        writeln!(out, "{loss:>11.2} | {perplexity:>10} | {:>7.4}", (-loss).exp())?;
    }
    Ok(())
}

// ANCHOR: by_hand
fn adamw_by_hand(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== two weights, four steps of AdamW ==")?;
    let mut parameters = Parameters::default();
    let w = parameters.insert("w", &Tensor::new(&[[1f32, 1.0]], &Device::Cpu)?)?;
    let config = AdamWConfig { weight_decay: 0.0, ..AdamWConfig::default() };
    let mut optimizer = AdamW::new(config, &parameters)?;
    // The loss 50·w₀² + ½·w₁² is a hundred times steeper in its first weight.
    let steepness = Tensor::new(&[[50f32, 0.5]], &Device::Cpu)?;
    writeln!(out, "step |  gradient          |  weights")?;
    for step in 1..=4 {
        let loss = w.sqr()?.mul(&steepness)?.sum_all()?;
        let gradients = Gradients::of(&loss, &parameters)?;
        let g = gradients.get("w").map(Tensor::to_vec2::<f32>).transpose()?.unwrap_or_default();
        optimizer.step(&parameters, &gradients, 0.1, 1.0)?;
        let now = w.to_vec2::<f32>()?;
        writeln!(out, "{step:>4} | {:>8.3} {:>8.3}  | {:>7.4} {:>7.4}", g[0][0], g[0][1], now[0][0], now[0][1])?;
    }
    Ok(())
}
// ANCHOR_END: by_hand

fn clipping(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== clipping ==")?;
    for norm in [0.5, 1.0, 4.0, 100.0] {
        writeln!(out, "gradient norm {norm:>5}: all gradients times {}", clip_factor(norm, 1.0))?;
    }
    Ok(())
}

fn schedule(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== warmup, then cosine ==")?;
    let schedule = Schedule { peak_lr: 3e-3, warmup_steps: 10, final_ratio: 0.1 };
    for step in [0, 4, 9, 10, 30, 55, 80, 99] {
        let lr = schedule.learning_rate(step, 100);
        writeln!(out, "step {step:>3} lr {lr:.6} {}", "#".repeat((lr * 10_000.0).round() as usize))?;
    }
    Ok(())
}

/// A model of about twenty thousand parameters.
fn tiny() -> Result<Transformer> {
    let config = ModelConfig {
        vocab_size: 32,
        d_model: 32,
        n_layers: 2,
        n_heads: 4,
        n_kv_heads: 2,
        d_ff: 64,
        max_seq_len: 64,
        rope_theta: 10_000.0,
        norm_eps: 1e-5,
        architecture: Architecture::LLAMA,
        tie_embeddings: true,
        init_std: 0.05,
    };
    Transformer::new(config, 0, &Device::Cpu)
}

/// One batch of rows of letters, each row with its last `n_counted` targets counting.
fn letters(rows: &[(&str, usize)]) -> Result<Batch> {
    let seq_len = rows.iter().map(|(text, _)| text.len() - 1).max().unwrap_or(1);
    let (mut inputs, mut targets, mut mask) = (Vec::new(), Vec::new(), Vec::new());
    for (text, n_counted) in rows {
        let ids: Vec<u32> = text.bytes().map(|byte| u32::from(byte) % 32).collect();
        for i in 0..seq_len {
            inputs.push(*ids.get(i).unwrap_or(&0));
            targets.push(*ids.get(i + 1).unwrap_or(&0));
            mask.push(if i + 1 < ids.len() && i + 1 + n_counted >= ids.len() { 1f32 } else { 0.0 });
        }
    }
    let shape = (rows.len(), seq_len);
    let device = &Device::Cpu;
    Ok(Batch {
        inputs: Tensor::from_vec(inputs, shape, device)?,
        targets: Tensor::from_vec(targets, shape, device)?,
        mask: Some(Tensor::from_vec(mask, shape, device)?),
    })
}

// ANCHOR: uneven
fn uneven_micro_batches(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== uneven micro-batches ==")?;
    let model = tiny()?;
    let rows = [("a question with one word as its answer", 3), ("say hello: hello, hello, hello and welcome", 32)];
    let loss_of = |rows: &[(&str, usize)]| -> Result<MicroLoss> { next_token_loss(&model, &letters(rows)?) };
    let mean = |loss: &MicroLoss| Ok::<f32, candle_core::Error>(loss.sum.to_scalar::<f32>()? / loss.n_targets as f32);

    let whole = loss_of(&rows)?;
    let parts = [loss_of(&rows[..1])?, loss_of(&rows[1..])?];
    let sums = parts.iter().map(|part| part.sum.to_scalar::<f32>()).sum::<Result<f32>>()?;
    let n_targets: usize = parts.iter().map(|part| part.n_targets).sum();
    writeln!(out, "targets that count: {} and {}", parts[0].n_targets, parts[1].n_targets)?;
    writeln!(out, "loss in one batch            {:.4}", mean(&whole)?)?;
    writeln!(out, "two parts, sum / sum         {:.4}", sums / n_targets as f32)?;
    writeln!(out, "two parts, mean of the means {:.4}", (mean(&parts[0])? + mean(&parts[1])?) / 2.0)?;
    Ok(())
}
// ANCHOR_END: uneven

/// Learns one text by heart: its data is always the same.
struct Memorise<'a> {
    model: &'a Transformer,
    batch: Batch,
    n_read: usize,
}

// ANCHOR: memorise
impl Task for Memorise<'_> {
    type Batch = Batch;

    fn next_batch(&mut self) -> Result<Batch> {
        self.n_read += 1;
        Ok(self.batch.clone())
    }

    fn loss(&self, batch: &Batch) -> Result<MicroLoss> {
        next_token_loss(self.model, batch)
    }

    fn validate(&mut self) -> Result<Vec<(String, f64)>> {
        Ok(Vec::new())
    }

    fn state(&self) -> serde_json::Value {
        self.n_read.into()
    }

    fn restore(&mut self, state: &serde_json::Value) -> Result<()> {
        self.n_read = state.as_u64().unwrap_or_default() as usize;
        Ok(())
    }
}
// ANCHOR_END: memorise

fn memorise(model: &Transformer) -> Result<Memorise<'_>> {
    let text = "the quick brown fox jumps over it";
    Ok(Memorise { model, batch: letters(&[(text, text.len())])?, n_read: 0 })
}

fn config(steps: usize) -> TrainConfig {
    TrainConfig {
        steps,
        micro_batches: 1,
        schedule: Schedule { peak_lr: 1e-2, warmup_steps: 5, final_ratio: 0.1 },
        optimizer: AdamWConfig::default(),
        clip_norm: 1.0,
        validate_every: 0,
        checkpoint_every: 10,
        keep_checkpoints: 1,
    }
}

fn overfit(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== learning one sentence by heart ==")?;
    let model = tiny()?;
    let mut observe_error = Ok(());
    Trainer::new(&model, config(60))?.run(&mut memorise(&model)?, None, &mut |metrics| {
        if metrics.step == 1 || metrics.step % 10 == 0 {
            observe_error = writeln!(
                out,
                "step {:>2} loss {:.2} gradient norm {:.1}",
                metrics.step, metrics.loss, metrics.grad_norm
            );
        }
    })?;
    Ok(observe_error?)
}

// ANCHOR: resume
fn resume(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== stopped and resumed ==")?;
    let folder = tempfile::tempdir()?;
    let run = RunDir::create(folder.path())?;

    let uninterrupted = tiny()?;
    Trainer::new(&uninterrupted, config(20))?.run(&mut memorise(&uninterrupted)?, None, &mut |_| {})?;

    let stopped = tiny()?;
    let mut trainer = Trainer::new(&stopped, config(20))?;
    let mut task = memorise(&stopped)?;
    for _ in 0..13 {
        trainer.train_step(&mut task)?;
        if trainer.step() == 10 {
            trainer.save(&task, &run)?;
        }
    }
    writeln!(out, "stopped after step {}; the last checkpoint is of step 10", trainer.step())?;

    let resumed = tiny()?;
    let mut task = memorise(&resumed)?;
    let mut trainer = Trainer::new(&resumed, config(20))?;
    let step = trainer.resume(&mut task, &run)?;
    trainer.run(&mut task, None, &mut |_| {})?;
    let apart = resumed.parameters().tensors().zip(uninterrupted.parameters().tensors());
    let apart = apart.map(|((_, a), (_, b))| Ok(difference(&a, &b)?.max_abs)).collect::<Result<Vec<_>>>()?;
    let largest = apart.into_iter().fold(0.0, f64::max);
    writeln!(out, "resumed at step {step}, ended at step {}", trainer.step())?;
    writeln!(out, "largest difference to the run that was not stopped: {largest}")?;
    Ok(())
}
// ANCHOR_END: resume
