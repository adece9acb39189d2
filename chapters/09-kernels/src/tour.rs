//! The chapter's experiment: softmax in blocks, every kernel against its reference, what a training step asks of memory and of arithmetic, what is kept for
//! the backward pass, what bfloat16 and quantising round away, and a fused op that has no gradient beside one that has.

use std::io::Write;
use std::sync::Arc;

use attention::{NoStore, Rope};
use candle_core::{DType, Device, Result, Tensor};
use tensors::{Parameters, difference, normal};
use training::{Gradients, OptimizerOps, ReferenceOptimizer, optimizer_ops::Step, optimizer_ops::Update};
use transformer::gguf::BlockType;
use transformer::{
    Architecture, AttentionLayout, LlamaAttention, LlamaFeedForward, ModelConfig, Ops, Reference, Transformer, Weight,
};

use crate::activation_memory::{Graph, kept_by_attention, kept_by_block, kept_by_feed_forward};
use crate::matmul;
use crate::matrix::{Matrix, MatrixMut};
use crate::online_softmax::softmax_rows;
use crate::quantized::{self, Blocks, Product};
use crate::roofline::{RIDGE, passes, training_step};
use crate::training_memory::{StepSizes, Stored, TrainingMemory};
use crate::{Activations, Fused, Isa, Precision};

/// Prints the tour. Takes a second.
///
/// # Errors
/// If writing fails.
pub fn tour(out: &mut dyn Write) -> anyhow::Result<()> {
    online_softmax(out)?;
    kernels_and_reference(out)?;
    arithmetic_intensity(out)?;
    memory_passes(out)?;
    kept_for_backward(out)?;
    memory_of_a_step(out)?;
    rounding(out)?;
    bf16_products(out)?;
    fewer_bits(out)?;
    silent_cut(out)?;
    Ok(())
}

// ANCHOR: online_softmax
fn online_softmax(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== softmax in blocks ==")?;
    let scores = [1.0_f32, 0.5, 3.0, -1.0, 2.0, 4.0, 0.0, 1.5];
    let (mut max, mut sum, mut factor) = ([f32::NEG_INFINITY], [0.0], [0.0]);
    for block in scores.chunks(2) {
        let mut weights = block.to_vec();
        softmax_rows(Isa::best(), &mut weights, block.len(), &|_| 0..block.len(), &mut max, &mut sum, &mut factor);
        let text = format!("{block:?}");
        writeln!(out, "{text:<11} max {:>3}  what was before times {:.4}  sum {:.4}", max[0], factor[0], sum[0])?;
    }
    let top = scores.into_iter().fold(f32::MIN, f32::max);
    let whole: f32 = scores.iter().map(|s| (s - top).exp()).sum();
    writeln!(out, "whole row   max {top:>3}                                sum {whole:.4}")?;
    writeln!(out, "log-sum-exp {:.4} in blocks, {:.4} at once", max[0] + sum[0].ln(), top + whole.ln())?;
    Ok(())
}
// ANCHOR_END: online_softmax

/// Gives the weight of a name.
type Weights<'a> = dyn Fn(&str) -> Result<Weight> + 'a;

/// An operation, and the names and shapes of all that has a gradient.
struct Case {
    name: &'static str,
    parameters: Vec<(&'static str, Vec<usize>)>,
    run: fn(&dyn Ops, &Weights<'_>) -> Result<Tensor>,
}

const SEQ_LEN: usize = 80;
const D_MODEL: usize = 32;
const KV_WIDTH: usize = 16;
const D_FF: usize = 40;
const VOCAB_SIZE: usize = 50;
const EPS: f64 = 1e-5;

fn tokens(seed: usize) -> Result<Tensor> {
    let ids: Vec<u32> = (0..2 * SEQ_LEN).map(|i| ((i * 7919 + seed * 31) % VOCAB_SIZE) as u32).collect();
    Tensor::from_vec(ids, (2, SEQ_LEN), &Device::Cpu)
}

/// Four query heads that share two key-value heads.
fn with_layout<R>(work: impl FnOnce(AttentionLayout) -> Result<R>) -> Result<R> {
    let rope = Rope::new(D_MODEL / 4, SEQ_LEN, 10_000.0, &Device::Cpu)?;
    work(AttentionLayout { layer: 0, n_heads: 4, n_kv_heads: 2, rope: Some(&rope), window: None })
}

fn cases() -> Vec<Case> {
    let (stream, wide, kv) = (vec![2, SEQ_LEN, D_MODEL], vec![2, SEQ_LEN, D_FF], vec![2, SEQ_LEN, KV_WIDTH]);
    let square = vec![D_MODEL, D_MODEL];
    let to_kv = vec![KV_WIDTH, D_MODEL];
    let table = vec![VOCAB_SIZE, D_MODEL];
    vec![
        Case {
            name: "embedding",
            parameters: vec![("table", table.clone())],
            run: |ops, weight| ops.embedding(&tokens(1)?, &weight("table")?),
        },
        Case {
            name: "linear",
            parameters: vec![("x", stream.clone()), ("weight", vec![D_FF, D_MODEL])],
            run: |ops, weight| ops.linear(&weight("x")?.tensor, &weight("weight")?),
        },
        Case {
            name: "rms_norm",
            parameters: vec![("x", stream.clone()), ("gain", vec![D_MODEL])],
            run: |ops, weight| ops.rms_norm(&weight("x")?.tensor, &weight("gain")?, EPS),
        },
        Case {
            name: "attention",
            parameters: vec![("q", stream.clone()), ("k", kv.clone()), ("v", kv)],
            run: |ops, weight| {
                let (q, k, v) = (weight("q")?.tensor, weight("k")?.tensor, weight("v")?.tensor);
                with_layout(|layout| ops.attention(&q, &k, &v, layout, &mut NoStore))
            },
        },
        Case {
            name: "swiglu",
            parameters: vec![("gate", wide.clone()), ("up", wide)],
            run: |ops, weight| ops.swiglu(&weight("gate")?.tensor, &weight("up")?.tensor),
        },
        Case {
            name: "target_log_probs",
            parameters: vec![("hidden", stream.clone()), ("head", table.clone())],
            run: |ops, weight| ops.target_log_probs(&weight("hidden")?.tensor, &weight("head")?, &tokens(5)?),
        },
        Case {
            name: "next_token_loss",
            parameters: vec![("hidden", stream.clone()), ("head", table)],
            run: |ops, weight| ops.next_token_loss(&weight("hidden")?.tensor, &weight("head")?, &tokens(5)?, None),
        },
        Case {
            name: "attention_branch",
            parameters: vec![
                ("x", stream.clone()),
                ("norm", vec![D_MODEL]),
                ("q", square.clone()),
                ("k", to_kv.clone()),
                ("v", to_kv),
                ("o", square),
            ],
            run: |ops, weight| {
                let (norm, q, k) = (weight("norm")?, weight("q")?, weight("k")?);
                let branch = LlamaAttention { norm, q, k, v: weight("v")?, o: weight("o")? }.into();
                let x = weight("x")?.tensor;
                with_layout(|layout| ops.attention_branch(&x, &branch, EPS, layout, &mut NoStore))
            },
        },
        Case {
            name: "feed_forward_branch",
            parameters: vec![
                ("x", stream),
                ("norm", vec![D_MODEL]),
                ("gate", vec![D_FF, D_MODEL]),
                ("up", vec![D_FF, D_MODEL]),
                ("down", vec![D_MODEL, D_FF]),
            ],
            run: |ops, weight| {
                let (norm, gate, up) = (weight("norm")?, weight("gate")?, weight("up")?);
                let branch = LlamaFeedForward { norm, gate, up, down: weight("down")? }.into();
                ops.feed_forward_branch(&weight("x")?.tensor, &branch, EPS)
            },
        },
    ]
}

// ANCHOR: against_reference
/// The value of an operation, and the gradients of a loss that weighs its numbers at random.
fn run(case: &Case, ops: &dyn Ops, parameters: &Parameters) -> Result<(Tensor, Gradients)> {
    let weight = |name: &str| match parameters.get(name) {
        Some(var) => Ok(Weight { name: name.into(), tensor: var.as_tensor().clone() }),
        None => candle_core::bail!("{} has no {name}", case.name),
    };
    let value = (case.run)(ops, &weight)?;
    let loss = (&value * normal(2, case.name, value.shape(), 1.0, &Device::Cpu)?)?.sum_all()?;
    let mut gradients = Gradients::of_graph(&loss, parameters)?;
    gradients.extend(ops.take_gradients())?;
    gradients.check_coverage(parameters)?;
    Ok((value.detach(), gradients))
}

fn kernels_and_reference(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== kernels against the reference ==")?;
    let fused = Fused::new(Precision::F32, Activations::Keep);
    for case in cases() {
        let mut parameters = Parameters::default();
        for (name, shape) in &case.parameters {
            parameters.insert(name, &normal(1, name, shape.clone(), 0.5, &Device::Cpu)?)?;
        }
        let (expected, expected_gradients) = run(&case, &Reference, &parameters)?;
        let (value, gradients) = run(&case, &fused, &parameters)?;
        let mut errors = Vec::new();
        for (name, _) in &case.parameters {
            if let (Some(found), Some(expected)) = (gradients.get(name), expected_gradients.get(name)) {
                errors.push(format!("{name} {}", order(largest_error(found, expected)?)));
            }
        }
        let of_value = order(largest_error(&value, &expected)?);
        writeln!(out, "{:<20} value {of_value}   gradients: {}", case.name, errors.join(", "))?;
    }
    writeln!(out, "{:<20} weights and moments {}", "AdamW", order(adamw_error(&fused)?))?;
    Ok(())
}

/// The largest difference, as a part of the largest true number.
fn largest_error(found: &Tensor, expected: &Tensor) -> Result<f64> {
    let size = expected.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>()?;
    Ok(difference(found, expected)?.max_abs / f64::from(size))
}
// ANCHOR_END: against_reference

/// An error that is rounding, or its power of ten.
fn order(error: f64) -> String {
    const ROUNDING: f64 = 1e-5;
    if error < ROUNDING { format!("< {ROUNDING:.0e}") } else { format!("{error:.0e}") }
}

/// The largest error of weight and moments after three steps of AdamW.
fn adamw_error(fused: &Fused) -> Result<f64> {
    let after_three = |ops: &dyn OptimizerOps| -> Result<[Tensor; 3]> {
        let var = candle_core::Var::from_tensor(&normal(1, "weight", (70, 300), 1.0, &Device::Cpu)?)?;
        let (mut first, mut second) = (var.zeros_like()?.detach(), var.zeros_like()?.detach());
        for t in 1..=3 {
            let gradient = normal(t, "gradient", (70, 300), 1.0, &Device::Cpu)?;
            let correction = |beta: f64| 1.0 - beta.powi(t as i32);
            let step = Step {
                lr: 0.01,
                beta1: 0.9,
                beta2: 0.95,
                eps: 1e-8,
                first_correction: correction(0.9),
                second_correction: correction(0.95),
                scale: 0.5,
            };
            let update = Update { var: &var, gradient: &gradient, first: &mut first, second: &mut second, decay: 0.1 };
            ops.adamw(&step, &mut [update])?;
        }
        Ok([var.as_detached_tensor(), first, second])
    };
    let (found, expected) = (after_three(fused)?, after_three(&ReferenceOptimizer)?);
    let errors = found.iter().zip(&expected).map(|(found, expected)| largest_error(found, expected));
    errors.collect::<Result<Vec<_>>>().map(|errors| errors.into_iter().fold(0.0, f64::max))
}

/// A model of 17 million parameters, and the batch of the examples.
pub fn example() -> (ModelConfig, usize, usize) {
    let config = ModelConfig {
        vocab_size: 4096,
        d_model: 384,
        n_layers: 6,
        n_heads: 6,
        n_kv_heads: 6,
        d_ff: 1024,
        max_seq_len: 256,
        rope_theta: 10_000.0,
        norm_eps: EPS,
        architecture: Architecture::LLAMA,
        tie_embeddings: true,
        init_std: 0.02,
    };
    (config, 8, 256)
}

// ANCHOR: intensity
fn arithmetic_intensity(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== FLOPs and bytes of a training step ==")?;
    let (config, batch, seq_len) = example();
    writeln!(
        out,
        "d_model {}, {} layers, {} heads, d_ff {}, vocab_size {}, {batch} sequences of {seq_len}",
        config.d_model, config.n_layers, config.n_heads, config.d_ff, config.vocab_size
    )?;
    let step = training_step(&config, batch, seq_len);
    let sum = |of: &dyn Fn(&crate::roofline::Operation) -> f64| step.iter().map(of).sum::<f64>();
    let (flops, bytes) = (sum(&|o| o.flops), sum(&|o| o.bytes));
    let time = sum(&|o| o.least_time(RIDGE));
    writeln!(out, "operation       |  GFLOP |     MB | FLOP/byte | ridge {RIDGE} | share of the least time")?;
    for operation in &step {
        let side = if operation.intensity() < RIDGE { "below" } else { "above" };
        writeln!(
            out,
            "{:<15} | {:>6.2} | {:>6.1} | {:>9.1} | {side:<8} | {:>4.1}%",
            operation.name,
            operation.flops / 1e9,
            operation.bytes / 1e6,
            operation.intensity(),
            100.0 * operation.least_time(RIDGE) / time
        )?;
    }
    writeln!(out, "{:<15} | {:>6.2} | {:>6.1} | {:>9.1} |", "all", flops / 1e9, bytes / 1e6, flops / bytes)?;
    Ok(())
}
// ANCHOR_END: intensity

fn memory_passes(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== passes over memory ==")?;
    writeln!(out, "numbers read or written           | stock | kernel")?;
    for passes in passes() {
        writeln!(out, "{:<33} | {:>5} | {:>6}", passes.name, passes.stock, passes.fused)?;
    }
    Ok(())
}

// ANCHOR: kept
fn kept_for_backward(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== what a block keeps for its backward pass ==")?;
    let (config, batch, seq_len) = example();
    let mut sums = [0.0; 4];
    for (branch, kept) in [
        ("MB, by the attention branch", kept_by_attention(&config, batch, seq_len)),
        ("MB, by the feed-forward branch", kept_by_feed_forward(&config, batch, seq_len)),
    ] {
        writeln!(out, "{branch:<33} | stock  | primitives | branches | recompute")?;
        for item in &kept {
            let megabytes = (item.n_numbers * size_of::<f32>()) as f64 / 1e6;
            let is_kept = Graph::ALL.map(|graph| item.by.contains(&graph));
            let cells = is_kept.map(|is_kept| if is_kept { format!("{megabytes:.2}") } else { "-".to_string() });
            sums.iter_mut().zip(is_kept).filter(|(_, is_kept)| *is_kept).for_each(|(sum, _)| *sum += megabytes);
            let [stock, primitives, branches, recompute] = cells;
            writeln!(out, "{:<33} | {stock:>6} | {primitives:>10} | {branches:>8} | {recompute:>9}", item.name)?;
        }
    }
    let [stock, primitives, branches, recompute] = sums;
    writeln!(out, "{:<33} | {stock:>6.2} | {primitives:>10.2} | {branches:>8.2} | {recompute:>9.2}", "one block")?;
    let gpt2 = ModelConfig { architecture: Architecture::GPT2, ..config };
    let [stock, primitives, branches, recompute] = Graph::ALL.map(|graph| {
        let kept = kept_by_block(&gpt2, batch, seq_len, graph);
        kept.map(|kept| kept.n_numbers * size_of::<f32>()).sum::<usize>() as f64 / 1e6
    });
    let name = "one block of GPT-2's parts";
    writeln!(out, "{name:<33} | {stock:>6.2} | {primitives:>10.2} | {branches:>8.2} | {recompute:>9.2}")?;
    Ok(())
}
// ANCHOR_END: kept

fn memory_of_a_step(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== the memory of a training step ==")?;
    let (config, batch, seq_len) = example();
    let [stock, branches, recompute] = [Graph::Stock, Graph::Branches, Graph::Recompute].map(|graph| {
        TrainingMemory::of(&config, &StepSizes { batch, seq_len, micro_batches: 1, graph, stored: Stored::OnCpu })
    });
    let megabytes = |bytes: usize| bytes as f64 / 1e6;
    writeln!(out, "MB           |  stock | branches | recompute")?;
    for (i, (name, _)) in stock.parts().iter().enumerate() {
        let [stock, branches, recompute] = [stock, branches, recompute].map(|memory| megabytes(memory.parts()[i].1));
        writeln!(out, "{name:<12} | {stock:>6.1} | {branches:>8.1} | {recompute:>9.1}")?;
    }
    let [stock, branches, recompute] = [stock, branches, recompute].map(|memory| megabytes(memory.total()));
    writeln!(out, "{:<12} | {stock:>6.1} | {branches:>8.1} | {recompute:>9.1}", "all")?;
    Ok(())
}

// ANCHOR: rounding
fn rounding(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== bfloat16 rounds ==")?;
    let round = |x: f32, to| Tensor::new(x, &Device::Cpu)?.to_dtype(to)?.to_dtype(DType::F32)?.to_scalar::<f32>();
    writeln!(out, "   number | bfloat16 |      f16")?;
    for x in [1.003_f32, 1.006, 100.3, 1e-10, 3e38] {
        let show = |x: f32| match x {
            0.0 => "0".to_string(),
            1e-3..1e3 => format!("{x:.4}"),
            _ => format!("{x:.2e}"),
        };
        let [bf16, f16] = [DType::BF16, DType::F16].map(|to| round(x, to));
        writeln!(out, "{:>9} | {:>8} | {:>8}", show(x), show(bf16?), show(f16?))?;
    }
    let (mut master, mut rounded) = (1.0_f32, 1.0_f32);
    for _ in 0..500 {
        master -= 0.001;
        rounded = round(rounded - 0.001, DType::BF16)?;
    }
    writeln!(out, "1 minus 500 steps of 0.001: {master:.4} in f32, {rounded:.4} in bfloat16")?;
    Ok(())
}
// ANCHOR_END: rounding

/// A small model with large weights, so that its loss is far from that of guessing.
fn small() -> Result<Transformer> {
    let (config, _batch, _seq_len) = example();
    let config = ModelConfig {
        vocab_size: VOCAB_SIZE,
        d_model: 64,
        n_layers: 2,
        n_heads: 4,
        n_kv_heads: 2,
        d_ff: 96,
        init_std: 0.1,
        ..config
    };
    Transformer::new(config, 0, &Device::Cpu)
}

// ANCHOR: bf16
fn bf16_products(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== products in bfloat16 ==")?;
    let model = small()?;
    let loss_and_gradient = |precision, seed| -> Result<(f32, Tensor)> {
        let model = model.with_ops(Arc::new(Fused::new(precision, Activations::Keep)))?;
        let loss = model.next_token_loss(&tokens(seed)?, &tokens(seed + 4)?, None)?;
        let mut gradients = Gradients::of_graph(&loss, model.parameters())?;
        gradients.extend(model.ops().take_gradients())?;
        let all = model.parameters().iter().filter_map(|(name, _)| gradients.get(name));
        let all = Tensor::cat(&all.map(Tensor::flatten_all).collect::<Result<Vec<_>>>()?, 0)?;
        Ok((loss.to_scalar::<f32>()? / (2 * SEQ_LEN) as f32, all))
    };
    let (loss, gradient) = loss_and_gradient(Precision::F32, 1)?;
    let (loss_bf16, gradient_bf16) = loss_and_gradient(Precision::Bf16, 1)?;
    let (_, of_another_batch) = loss_and_gradient(Precision::F32, 2)?;
    let percent = |other: &Tensor| Ok::<f64, candle_core::Error>(100.0 * difference(other, &gradient)?.relative_l2);
    writeln!(out, "loss {loss:.4} in f32, {loss_bf16:.4} in bfloat16")?;
    writeln!(out, "the gradient differs by {:.2}% of its length", percent(&gradient_bf16)?)?;
    writeln!(out, "that of another batch differs by {:.2}%", percent(&of_another_batch)?)?;
    Ok(())
}
// ANCHOR_END: bf16

// ANCHOR: fewer_bits
fn fewer_bits(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== weights of fewer bits ==")?;
    const D: usize = 512;
    let weight = normal(3, "weight", (D, D), 0.02, &Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
    let x = normal(4, "x", (1, D), 1.0, &Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
    let product = |weight: &[f32]| -> Vec<f64> {
        let row = |row: &[f32]| row.iter().zip(&x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
        weight.chunks_exact(D).map(row).collect()
    };
    let length = |y: &[f64]| y.iter().map(|y| y * y).sum::<f64>().sqrt();
    let apart = |a: &[f64], b: &[f64]| length(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>()) / length(b);
    let exact = product(&weight);
    writeln!(out, "type | bits a weight | off from the exact product | off from the one of its own weights")?;
    for kind in [BlockType::Q8_0, BlockType::Q4_0] {
        let blocks = Blocks::new(kind, &weight, D)?;
        let (mut rounded, mut y) = (vec![0.0; D * D], vec![0.0; D]);
        blocks.rows(Isa::best(), 0..D, &mut rounded);
        let into = Product { weight: &blocks, out: MatrixMut::new(&mut y, D) };
        quantized::multiply(Isa::best(), matmul::Write::Replace, Matrix::new(&x, D), [into]);
        let y: Vec<f64> = y.into_iter().map(f64::from).collect();
        let bits = 8.0 * blocks.n_bytes() as f64 / (D * D) as f64;
        let (name, off, own) = (kind.name(), apart(&y, &exact), apart(&y, &product(&rounded)));
        writeln!(
            out,
            "{name} | {bits:>13.1} | {:>25.1}% | {}",
            100.0 * off,
            if own < 1e-6 { "less than 1e-6" } else { "more" }
        )?;
    }
    Ok(())
}
// ANCHOR_END: fewer_bits

// ANCHOR: silent_cut
fn silent_cut(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== fused, with a gradient and without ==")?;
    let mut parameters = Parameters::default();
    let x = parameters.insert("x", &normal(1, "x", (1, 4, 8), 1.0, &Device::Cpu)?)?;
    let gain = Weight { name: "gain".into(), tensor: parameters.insert("gain", &x.ones_like()?.get(0)?.get(0)?)? };
    let ops = Fused::new(Precision::F32, Activations::Keep);
    let of_candle = candle_nn::ops::rms_norm(&x, &gain.tensor, EPS as f32)?;
    for (name, y) in [("candle_nn::ops::rms_norm", of_candle), ("Fused::rms_norm", ops.rms_norm(&x, &gain, EPS)?)] {
        let sum = y.powf(3.0)?.sum_all()?;
        let mut gradients = Gradients::of_graph(&sum, &parameters)?;
        gradients.extend(ops.take_gradients())?;
        let found = ["x", "gain"].map(|name| if gradients.get(name).is_some() { "yes" } else { "no" });
        let value = sum.to_scalar::<f32>()?;
        writeln!(out, "{name:<24} sum {value:.4}; gradient of x: {}, of the gain: {}", found[0], found[1])?;
    }
    Ok(())
}
// ANCHOR_END: silent_cut
