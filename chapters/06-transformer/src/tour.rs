//! The chapter's experiment: where a model's parameters are, what flows through it, what initialisation does to the residual stream, and
//! the two checks that every model in this book passes: gradient coverage and causality.

use std::io::Write;

use attention::NoStore;
use candle_core::{Device, Tensor};
use tensors::{difference, gradient_coverage};

use crate::accounting::training_state_bytes;
use crate::model::parameter_shapes;
use crate::{Architecture, ModelConfig, Transformer, flops_per_token, n_parameters};

/// Prints the tour. Takes a second or two.
///
/// # Errors
/// If writing fails.
pub fn tour(out: &mut dyn Write) -> anyhow::Result<()> {
    parameters(out)?;
    sizes(out)?;
    first_guess(out)?;
    residual_stream(out)?;
    coverage(out)?;
    causality(out)?;
    Ok(())
}

/// A model small enough to run in milliseconds.
fn tiny(n_layers: usize) -> ModelConfig {
    ModelConfig {
        vocab_size: 512,
        d_model: 128,
        n_layers,
        n_heads: 4,
        n_kv_heads: 2,
        d_ff: 344,
        max_seq_len: 128,
        rope_theta: 10_000.0,
        norm_eps: 1e-5,
        architecture: Architecture::LLAMA,
        tie_embeddings: true,
        init_std: 0.02,
    }
}

/// Tokens that look like text to nobody but are the same everywhere.
fn some_tokens(batch: usize, seq_len: usize, vocab_size: usize) -> anyhow::Result<Tensor> {
    let ids: Vec<u32> = (0..batch * seq_len).map(|i| (i * i * 31 + 7 * i + 3) as u32 % vocab_size as u32).collect();
    Ok(Tensor::from_vec(ids, (batch, seq_len), &Device::Cpu)?)
}

fn parameters(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== the parameters of one block ==")?;
    let shapes = parameter_shapes(&tiny(1));
    for (name, shape) in &shapes {
        writeln!(out, "{name:<24} {:<11} {:>7}", format!("{shape:?}"), shape.iter().product::<usize>())?;
    }
    writeln!(out, "{:<24} {:<11} {:>7}", "total", "", n_parameters(&tiny(1)))?;
    Ok(())
}

// ANCHOR: sizes
fn sizes(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== what sizes cost ==")?;
    let config = |vocab_size, d_model, n_layers, n_heads, n_kv_heads, d_ff, tie_embeddings| ModelConfig {
        vocab_size,
        d_model,
        n_layers,
        n_heads,
        n_kv_heads,
        d_ff,
        tie_embeddings,
        max_seq_len: 2048,
        ..tiny(1)
    };
    let models = [
        ("this tour", config(512, 128, 4, 4, 2, 344, true)),
        ("SmolLM2-135M", config(49_152, 576, 30, 9, 3, 1_536, true)),
        ("Llama-2-7B", config(32_000, 4_096, 32, 32, 32, 11_008, false)),
        ("Llama-3-8B", config(128_256, 4_096, 32, 32, 8, 14_336, false)),
    ];
    writeln!(out, "{:<13} {:>13} {:>14} {:>15}", "model", "parameters", "GFLOP a token", "training state")?;
    for (name, config) in &models {
        let gflop = flops_per_token(config, config.max_seq_len) / 1e9;
        let gigabytes = training_state_bytes(config) as f64 / 1e9;
        writeln!(out, "{name:<13} {:>13} {gflop:>14.3} {gigabytes:>12.3} GB", n_parameters(config))?;
    }
    Ok(())
}
// ANCHOR_END: sizes

// ANCHOR: first_guess
fn first_guess(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== the first guess ==")?;
    let model = Transformer::new(tiny(4), 0, &Device::Cpu)?;
    let text = some_tokens(2, 65, 512)?;
    let (tokens, next) = (text.narrow(1, 0, 64)?.contiguous()?, text.narrow(1, 1, 64)?.contiguous()?); // (batch, seq_len)
    let loss = |targets: &Tensor| -> anyhow::Result<f32> {
        Ok(-model.target_log_probs(&tokens, targets)?.mean_all()?.to_scalar::<f32>()?)
    };
    writeln!(out, "tokens {:?} -> logits {:?}", tokens.dims(), model.logits(&tokens)?.dims())?;
    writeln!(out, "loss of a uniform guess, ln 512:         {:.2}", 512f64.ln())?;
    writeln!(out, "untrained, target is the next token:     {:.2}", loss(&next)?)?;
    writeln!(out, "untrained, target is the token it reads: {:.2}", loss(&tokens)?)?;
    Ok(())
}
// ANCHOR_END: first_guess

// ANCHOR: residual_stream
fn residual_stream(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== the residual stream at the start ==")?;
    writeln!(out, "       | std added by all blocks | mean cosine of positions")?;
    writeln!(out, "layers | scaled init       plain | scaled init        plain")?;
    for n_layers in [2, 8, 32] {
        // A factor of √(2n) undoes the 1/√(2n) of the matrices that write to the stream, to see what it is for.
        let (scaled, plain) = (written(n_layers, 1.0)?, written(n_layers, (2.0 * n_layers as f64).sqrt())?);
        writeln!(
            out,
            "{n_layers:>6} | {:>11.4} {:>11.4} | {:>11.2} {:>12.2}",
            scaled.added_std, plain.added_std, scaled.mean_cosine, plain.mean_cosine
        )?;
    }
    Ok(())
}

/// What the blocks of an untrained model did to the residual stream.
struct Written {
    /// Root mean square of the sum of everything that the blocks wrote.
    added_std: f32,
    /// Cosine between the stream's vectors at two positions, averaged over all pairs: 1 if all point the same way.
    mean_cosine: f32,
}

/// Runs an untrained model whose writing matrices are multiplied by `factor`.
fn written(n_layers: usize, factor: f64) -> anyhow::Result<Written> {
    let model = Transformer::new(tiny(n_layers), 0, &Device::Cpu)?.for_inference()?;
    for (name, var) in model.parameters().iter() {
        if name.ends_with(".o") || name.ends_with(".down") {
            var.set(&(var.as_tensor() * factor)?)?;
        }
    }
    let tokens = some_tokens(1, 64, 512)?;
    let before = model.ops().embedding(&tokens, model.embedding())?; // (1, seq_len, d_model)
    let after = model.residual(&tokens, &mut NoStore)?;
    let added_std = (&after - before)?.sqr()?.mean_all()?.to_scalar::<f32>()?.sqrt();
    let after = after.squeeze(0)?; // (seq_len, d_model)
    let unit = after.broadcast_div(&after.sqr()?.sum_keepdim(1)?.sqrt()?)?;
    let mean_cosine = unit.matmul(&unit.t()?)?.mean_all()?.to_scalar::<f32>()?;
    Ok(Written { added_std, mean_cosine })
}
// ANCHOR_END: residual_stream

// ANCHOR: coverage
fn coverage(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== gradient coverage ==")?;
    for tie_embeddings in [true, false] {
        let config = ModelConfig { tie_embeddings, ..tiny(4) };
        let model = Transformer::new(config, 0, &Device::Cpu)?;
        let loss = model.target_log_probs(&some_tokens(2, 32, 512)?, &some_tokens(2, 32, 512)?)?.mean_all()?.neg()?;
        let coverage = gradient_coverage(&loss, model.parameters())?;
        let head = if tie_embeddings { "tied" } else { "untied" };
        let n_without = coverage.missing.len() + coverage.zero.len() + coverage.non_finite.len();
        writeln!(out, "{head:>6} head: {} parameters, {n_without} without a gradient", coverage.n_parameters)?;
    }
    Ok(())
}
// ANCHOR_END: coverage

// ANCHOR: causality
fn causality(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== causality ==")?;
    let model = Transformer::new(tiny(2), 0, &Device::Cpu)?.for_inference()?;
    let tokens = some_tokens(1, 8, 512)?;
    let mut changed = tokens.flatten_all()?.to_vec1::<u32>()?;
    changed[5] = (changed[5] + 1) % 512;
    let changed = Tensor::from_vec(changed, (1, 8), &Device::Cpu)?;
    let (before, after) = (model.logits(&tokens)?, model.logits(&changed)?);
    writeln!(out, "token 5 changes; largest change of the logits at each position:")?;
    for position in 0..8 {
        let apart = difference(&after.narrow(1, position, 1)?, &before.narrow(1, position, 1)?)?.max_abs;
        writeln!(out, "{position}: {}", if apart == 0.0 { "none" } else { "some" })?;
    }
    Ok(())
}
// ANCHOR_END: causality
