//! Each operation alone, forward and backward: time on the reference operations and on the kernels, and how far values and gradients are apart.

use std::time::Instant;

use anyhow::{Context, Result};
use attention::{NoStore, Rope};
use candle_core::{Device, Tensor, Var};
use kernels::{Activations, Fused, Precision};
use pretraining::median;
use serde::Serialize;
use tensors::normal;
use transformer::{AttentionLayout, Ops, Reference, Weight};

/// Times and errors of one operation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OpBench {
    /// Its name.
    pub name: &'static str,
    /// Median milliseconds of forward and backward on the reference operations.
    pub reference_ms: f64,
    /// The same on kernels.
    pub fused_ms: f64,
    /// Relative L2 distance of the values.
    pub value_error: f64,
    /// The largest relative L2 distance of a gradient.
    pub gradient_error: f64,
}

/// Sizes of the operations' inputs.
#[derive(Debug, Clone, Copy)]
pub struct OpSizes {
    /// Sequences.
    pub batch: usize,
    /// Tokens in each.
    pub seq_len: usize,
    /// Width of the stream.
    pub d_model: usize,
    /// Query heads.
    pub n_heads: usize,
    /// Key-value heads.
    pub n_kv_heads: usize,
    /// Width of the feed-forward network.
    pub d_ff: usize,
    /// Tokens in the vocabulary.
    pub vocab_size: usize,
}

impl Default for OpSizes {
    fn default() -> Self {
        Self { batch: 8, seq_len: 256, d_model: 384, n_heads: 6, n_kv_heads: 6, d_ff: 1024, vocab_size: 4096 }
    }
}

/// Inputs of an operation, which all get gradients, and what it computes from them.
struct Case<'a> {
    name: &'static str,
    inputs: Vec<Var>,
    run: Box<Run<'a>>,
}

type Run<'a> = dyn Fn(&dyn Ops, &[Var]) -> candle_core::Result<Tensor> + 'a;

/// Times every operation `repetitions` times on both implementations, in turn.
///
/// # Errors
/// If an operation fails.
pub fn ops(sizes: OpSizes, precision: Precision, repetitions: usize) -> Result<Vec<OpBench>> {
    let rope = Rope::new(sizes.d_model / sizes.n_heads, sizes.seq_len, 10_000.0, &Device::Cpu)?;
    cases(sizes, &rope)?.iter().map(|case| bench(case, precision, repetitions)).collect()
}

fn cases(sizes: OpSizes, rope: &Rope) -> Result<Vec<Case<'_>>> {
    let OpSizes { batch, seq_len, d_model, n_heads, n_kv_heads, d_ff, vocab_size } = sizes;
    let kv_width = d_model / n_heads * n_kv_heads;
    let ids = |factor: usize| -> Result<Tensor> {
        let ids: Vec<u32> = (0..batch * seq_len).map(|i| (i * factor % vocab_size) as u32).collect();
        Ok(Tensor::from_vec(ids, (batch, seq_len), &Device::Cpu)?)
    };
    let (tokens, targets) = (ids(7919)?, ids(104_729)?);
    let var = |name: &str, shape: &[usize]| -> Result<Var> {
        Ok(Var::from_tensor(&normal(0, name, shape.to_vec(), 0.5, &Device::Cpu)?)?)
    };
    let stream = |name: &str, width: usize| var(name, &[batch, seq_len, width]);
    let weight = |var: &Var| Weight { name: "weight".into(), tensor: var.as_tensor().clone() };
    Ok(vec![
        Case {
            name: "embedding",
            inputs: vec![var("w", &[vocab_size, d_model])?],
            run: Box::new(move |ops, inputs| ops.embedding(&tokens, &weight(&inputs[0]))),
        },
        Case {
            name: "rms_norm",
            inputs: vec![stream("x", d_model)?, var("w", &[d_model])?],
            run: Box::new(move |ops, inputs| ops.rms_norm(inputs[0].as_tensor(), &weight(&inputs[1]), 1e-5)),
        },
        Case {
            name: "linear",
            inputs: vec![stream("x", d_model)?, var("w", &[d_ff, d_model])?],
            run: Box::new(move |ops, inputs| ops.linear(inputs[0].as_tensor(), &weight(&inputs[1]))),
        },
        Case {
            name: "attention",
            inputs: vec![stream("q", d_model)?, stream("k", kv_width)?, stream("v", kv_width)?],
            run: Box::new(move |ops, inputs| {
                let layout = AttentionLayout { layer: 0, n_heads, n_kv_heads, rope: Some(rope), window: None };
                let [q, k, v] = [0, 1, 2].map(|i: usize| inputs[i].as_tensor());
                ops.attention(q, k, v, layout, &mut NoStore)
            }),
        },
        Case {
            name: "swiglu",
            inputs: vec![stream("gate", d_ff)?, stream("up", d_ff)?],
            run: Box::new(|ops, inputs| ops.swiglu(inputs[0].as_tensor(), inputs[1].as_tensor())),
        },
        Case {
            name: "next_token_loss",
            inputs: vec![stream("x", d_model)?, var("w", &[vocab_size, d_model])?],
            run: Box::new(move |ops, inputs| {
                ops.next_token_loss(inputs[0].as_tensor(), &weight(&inputs[1]), &targets, None)
            }),
        },
    ])
}

fn bench(case: &Case, precision: Precision, repetitions: usize) -> Result<OpBench> {
    let fused = Fused::new(precision, Activations::Keep);
    let (expected, expected_gradients) = once(case, &Reference)?;
    let (found, found_gradients) = once(case, &fused)?;
    let mut gradient_error = 0.0_f64;
    for (found, expected) in found_gradients.iter().zip(&expected_gradients) {
        gradient_error = gradient_error.max(relative_distance(found, expected)?);
    }
    let (mut reference_ms, mut fused_ms) = (Vec::new(), Vec::new());
    // In turn, so that a busy moment of the machine meets both.
    for _ in 0..repetitions {
        for (ops, times) in [(&Reference as &dyn Ops, &mut reference_ms), (&fused, &mut fused_ms)] {
            let started = Instant::now();
            once(case, ops)?;
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
    }
    Ok(OpBench {
        name: case.name,
        reference_ms: median(&reference_ms).unwrap_or(f64::NAN),
        fused_ms: median(&fused_ms).unwrap_or(f64::NAN),
        value_error: relative_distance(&found, &expected)?,
        gradient_error,
    })
}

/// Forward and backward: the value, and the gradient of each input.
fn once(case: &Case, ops: &dyn Ops) -> Result<(Tensor, Vec<Tensor>)> {
    let value = (case.run)(ops, &case.inputs)?;
    let gradients = value.sum_all()?.backward()?;
    let mut sums = ops.take_gradients();
    let of_input = |input: &Var| match gradients.get(input) {
        Some(gradient) => Ok(gradient.clone()),
        // The only input without one in the graph is the weight.
        None => sums.remove("weight").with_context(|| format!("{} gives no gradient", case.name)),
    };
    let gradients = case.inputs.iter().map(of_input).collect::<Result<Vec<_>>>()?;
    Ok((value, gradients))
}

fn relative_distance(a: &Tensor, b: &Tensor) -> Result<f64> {
    let norm = |x: Tensor| -> Result<f64> { Ok(f64::from(x.sqr()?.sum_all()?.to_scalar::<f32>()?).sqrt()) };
    Ok(norm((a - b)?)? / norm(b.clone())?.max(f64::MIN_POSITIVE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_measured_and_right() {
        let sizes = OpSizes { batch: 2, seq_len: 16, d_model: 32, n_heads: 4, n_kv_heads: 2, d_ff: 48, vocab_size: 64 };
        let found = ops(sizes, Precision::F32, 1).unwrap();
        assert_eq!(found.len(), 6);
        for op in found {
            assert!(op.value_error < 1e-5 && op.gradient_error < 1e-5, "{op:?}");
        }
    }
}
