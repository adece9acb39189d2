//! Tests of exercise 06.1. The literals come from `exercises/reference.py`.
#![allow(clippy::unwrap_used)]

use candle_core::{D, DType, Device, Tensor, Var};
use ex_transformer::e1_rms_norm::rms_norm;

fn norm(x: &[f32], weight: &[f32], eps: f64) -> Vec<f32> {
    let x = Tensor::new(x, &Device::Cpu).unwrap();
    let weight = Tensor::new(weight, &Device::Cpu).unwrap();
    rms_norm(&x, &weight, eps).unwrap().to_vec1().unwrap()
}

#[track_caller]
fn assert_close(got: &[f32], want: &[f32], tolerance: f32, why: &str) {
    assert_eq!(got.len(), want.len());
    for (c, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() <= tolerance, "y[{c}] is {g}, expected {w}: {why}");
    }
}

#[test]
fn known_values() {
    let got = norm(&[1.0, -2.0, 3.0, 4.0], &[1.0, 1.0, 0.5, 2.0], 1e-5);
    let want = [0.365_148_13, -0.730_296_26, 0.547_722_2, 2.921_185];
    assert_close(&got, &want, 1e-6, "weight * x / sqrt(mean of squares + eps)");
}

#[test]
fn the_mean_is_not_subtracted() {
    let got = norm(&[2.0; 4], &[1.0; 4], 0.0);
    assert_close(&got, &[1.0; 4], 1e-6, "equal entries become 1; LayerNorm would make them 0");
}

#[test]
fn each_token_has_its_own_norm() {
    // Two batches of three tokens; token t is a multiple of the first one, so all norms are equal.
    let token = [1f32, -2.0, 0.5, 3.0];
    let x: Vec<f32> = (1..=6).flat_map(|t| token.map(|v| v * t as f32)).collect();
    let x = Tensor::from_vec(x, (2, 3, 4), &Device::Cpu).unwrap();
    let weight = Tensor::ones(4, DType::F32, &Device::Cpu).unwrap();
    let y = rms_norm(&x, &weight, 0.0).unwrap();
    assert_eq!(y.dims(), [2, 3, 4], "the shape of x");
    let rows: Vec<Vec<f32>> = y.reshape((6, 4)).unwrap().to_vec2().unwrap();
    for row in &rows {
        assert_close(row, &rows[0], 1e-6, "a vector's length must not matter, nor the other tokens");
        let mean_square = row.iter().map(|v| v * v).sum::<f32>() / 4.0;
        assert!((mean_square - 1.0).abs() < 1e-5, "the mean square is {mean_square}, expected 1");
    }
}

#[test]
fn eps_is_inside_the_root() {
    assert_close(&norm(&[0.0; 3], &[1.0; 3], 1e-5), &[0.0; 3], 0.0, "zeros stay zeros, not NaN");
    // mean square 4, eps 5: the root is 3. With eps outside it would be 2 + 5.
    assert_close(&norm(&[2.0, -2.0], &[1.0; 2], 5.0), &[2.0 / 3.0, -2.0 / 3.0], 1e-6, "sqrt(4 + 5) is 3");
}

#[test]
fn bf16_is_computed_in_f32() {
    let n = 4096;
    let x: Vec<f32> = (0..n).map(|i| ((i * 7 % 13) as f32 - 6.0) / 3.0).collect();
    let x = Tensor::from_vec(x, (1, n), &Device::Cpu).unwrap().to_dtype(DType::BF16).unwrap();
    let weight = Tensor::ones(n, DType::BF16, &Device::Cpu).unwrap();
    let y = rms_norm(&x, &weight, 1e-5).unwrap();
    assert_eq!(y.dtype(), DType::BF16, "the result has the dtype of x");
    // What f32 gives for the same input, rounded once at the end.
    let wide = x.to_dtype(DType::F32).unwrap();
    let rms = wide.sqr().unwrap().mean_keepdim(D::Minus1).unwrap().sqrt().unwrap();
    let want = wide.broadcast_div(&rms).unwrap().to_dtype(DType::BF16).unwrap();
    let got: Vec<f32> = y.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    let want: Vec<f32> = want.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    // One bf16 rounding step of a number below 2 is 1/128; allow half of one.
    assert_close(&got, &want, 1.0 / 256.0, "square and sum in f32, convert once at the end");
}

#[test]
fn the_gradient_flows_and_is_orthogonal_to_x() {
    let x = Var::from_slice(&[1f32, -2.0, 3.0, 0.5], 4, &Device::Cpu).unwrap();
    let weight = Var::from_slice(&[1f32, 1.0, 0.5, 2.0], 4, &Device::Cpu).unwrap();
    let loss = rms_norm(x.as_tensor(), weight.as_tensor(), 0.0).unwrap().sum_all().unwrap();
    let grads = loss.backward().unwrap();
    let dx = grads.get(&x).expect("no gradient for x: the graph was cut");
    assert!(grads.get(&weight).is_some(), "no gradient for weight: the graph was cut");
    let size: f32 = dx.sqr().unwrap().sum_all().unwrap().to_scalar().unwrap();
    assert!(size > 1e-3, "the gradient of x is zero");
    // Scaling x changes nothing, so the slope in the direction of x is zero.
    let along: f32 = (dx * x.as_tensor()).unwrap().sum_all().unwrap().to_scalar().unwrap();
    assert!(along.abs() < 1e-5, "the gradient along x is {along}, expected 0");
}

#[test]
fn wrong_width_is_an_error() {
    let x = Tensor::zeros((2, 4), DType::F32, &Device::Cpu).unwrap();
    let weight = Tensor::ones(3, DType::F32, &Device::Cpu).unwrap();
    assert!(rms_norm(&x, &weight, 1e-5).is_err(), "4 channels cannot take 3 weights");
}
