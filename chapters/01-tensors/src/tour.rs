//! The chapter's experiment: a tensor and its strides, a gradient by hand and by autograd, how finite differences catch a wrong
//! one, and a fused op that cuts the graph without a word.

use std::io::Write;

use candle_core::{DType, Device, Tensor};

use crate::{Parameters, check_gradients, gradient_coverage, normal};

/// Prints the tour. Takes well under a second.
///
/// # Errors
/// If writing fails.
pub fn tour(out: &mut dyn Write) -> anyhow::Result<()> {
    shapes_and_strides(out)?;
    broadcasting(out)?;
    gradient_by_hand(out)?;
    gradient_check(out)?;
    silent_cut(out)?;
    Ok(())
}

// ANCHOR: strides
fn shapes_and_strides(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== one buffer, two views ==")?;
    let x = Tensor::arange(0f32, 6.0, &Device::Cpu)?.reshape((2, 3))?;
    let y = x.t()?;
    for (name, view) in [("x", &x), ("x transposed", &y)] {
        writeln!(out, "{name:<13} shape {:?} strides {:?} {:?}", view.dims(), view.stride(), view.to_vec2::<f32>()?)?;
    }
    writeln!(out, "contiguous: x {}, x transposed {}", x.is_contiguous(), y.is_contiguous())?;
    Ok(())
}
// ANCHOR_END: strides

// ANCHOR: broadcasting
fn broadcasting(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== broadcasting ==")?;
    let column = Tensor::new(&[[10f32], [20.0]], &Device::Cpu)?; // (2, 1)
    let row = Tensor::new(&[[1f32, 2.0, 3.0]], &Device::Cpu)?; // (1, 3)
    let sum = column.broadcast_add(&row)?; // (2, 3)
    writeln!(out, "{:?} + {:?} -> {:?}: {:?}", column.dims(), row.dims(), sum.dims(), sum.to_vec2::<f32>()?)?;
    match column.add(&row) {
        Ok(_) => writeln!(out, "plain add accepts it")?,
        Err(_) => writeln!(out, "plain add refuses: shapes {:?} and {:?} differ", column.dims(), row.dims())?,
    }
    Ok(())
}
// ANCHOR_END: broadcasting

// ANCHOR: by_hand
fn gradient_by_hand(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== a gradient by hand and by autograd ==")?;
    let mut parameters = Parameters::default();
    let x = Tensor::new(&[[1f64, 2.0], [3.0, 4.0]], &Device::Cpu)?; // (n, d_in)
    let w = parameters.insert("w", &Tensor::new(&[[0.5], [-1.0]], &Device::Cpu)?)?; // (d_in, 1)
    let target = Tensor::new(&[[1f64], [0.0]], &Device::Cpu)?; // (n, 1)

    let error = x.matmul(&w)?.sub(&target)?;
    let loss = error.sqr()?.mean_all()?;
    let by_hand = x.t()?.matmul(&error)?; // 2 Xᵀ(Xw − y) / n with n = 2
    let by_autograd = loss.backward()?.get(&w).map(Tensor::to_vec2::<f64>).transpose()?;
    writeln!(out, "loss        {:.4}", loss.to_scalar::<f64>()?)?;
    writeln!(out, "by hand     {:?}", by_hand.to_vec2::<f64>()?)?;
    writeln!(out, "by autograd {:?}", by_autograd.unwrap_or_default())?;
    Ok(())
}
// ANCHOR_END: by_hand

// ANCHOR: finite_differences
/// softmax over the last dimension, by ops that all have a backward.
fn softmax(x: &Tensor) -> candle_core::Result<Tensor> {
    let exp = x.broadcast_sub(&x.max_keepdim(1)?.detach())?.exp()?;
    exp.broadcast_div(&exp.sum_keepdim(1)?)
}

fn gradient_check(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== finite differences ==")?;
    let x = normal(0, "x", (2, 4), 1.0, &Device::Cpu)?.to_dtype(DType::F64)?;
    let weight = normal(0, "weight", (2, 4), 1.0, &Device::Cpu)?.to_dtype(DType::F64)?;
    for step in [1e-1, 1e-3, 1e-5, 1e-9, 1e-13] {
        let check = check_gradients(std::slice::from_ref(&x), step, |x| softmax(&x[0])?.mul(&weight)?.sum_all())?;
        writeln!(
            out,
            "softmax, step {step:.0e}: largest error of {} derivatives < 1e{:+}",
            check.n_compared,
            exponent(check.max_error)
        )?;
    }
    let wrong = check_gradients(std::slice::from_ref(&x), 1e-5, |x| {
        let exp = x[0].exp()?;
        exp.broadcast_div(&exp.sum_keepdim(1)?.detach())?.mul(&weight)?.sum_all()
    })?;
    writeln!(out, "softmax whose denominator was detached: error {:.2}", wrong.max_error)?;
    Ok(())
}
// ANCHOR_END: finite_differences

/// The power of ten just above `error`, which rounding noise does not move as it moves digits.
fn exponent(error: f64) -> i32 {
    error.max(1e-16).log10().floor() as i32 + 1
}

// ANCHOR: silent_cut
fn silent_cut(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== a fused op that cuts the graph ==")?;
    for name in ["fused", "composed"] {
        let mut parameters = Parameters::default();
        let embedding = parameters.insert("embedding", &normal(1, "embedding", (4, 8), 1.0, &Device::Cpu)?)?;
        let gain = parameters.insert("norm", &Tensor::ones(8, DType::F32, &Device::Cpu)?)?;
        let head = parameters.insert("head", &normal(1, "head", (8, 3), 1.0, &Device::Cpu)?)?;
        let normed = match name {
            "fused" => candle_nn::ops::rms_norm(&embedding, &gain, 1e-5)?,
            _ => {
                let mean_square = embedding.sqr()?.mean_keepdim(1)?;
                embedding.broadcast_div(&(mean_square + 1e-5)?.sqrt()?)?.broadcast_mul(&gain)?
            }
        };
        let loss = normed.matmul(&head)?.sqr()?.mean_all()?;
        let coverage = gradient_coverage(&loss, &parameters)?;
        writeln!(
            out,
            "{name:<9} loss {:.4}, {} parameters, no gradient: {:?}",
            loss.to_scalar::<f32>()?,
            coverage.n_parameters,
            coverage.missing
        )?;
    }
    Ok(())
}
// ANCHOR_END: silent_cut
