//! Tests of exercise 06.3. The literals come from `exercises/reference.py`.

use ex_transformer::e3_layer_norm::layer_norm;

fn plain(x: &[f32], eps: f64) -> Vec<f32> {
    layer_norm(x, &vec![1.0; x.len()], &vec![0.0; x.len()], eps)
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
    let got = layer_norm(&[1.0, -2.0, 3.0, 4.0], &[1.0, 1.0, 0.5, 2.0], &[0.0, 0.5, 0.0, -1.0], 1e-5);
    let want = [-0.218_217_7, -1.027_523_8, 0.327_326_5, 1.182_176_8];
    assert_close(&got, &want, 1e-6, "(x - mean) / sqrt(variance + eps) * gain + bias");
}

#[test]
fn the_variance_divides_by_n() {
    assert_close(&plain(&[1.0, 3.0], 0.0), &[-1.0, 1.0], 1e-7, "the variance of [1, 3] is 1, not 2");
}

#[test]
fn mean_zero_and_variance_one() {
    let x: Vec<f32> = (0..64).map(|i| ((i * 29 % 64) as f32).powi(2) / 100.0 + 5.0).collect();
    let y = plain(&x, 0.0);
    let mean = y.iter().sum::<f32>() / 64.0;
    let variance = y.iter().map(|v| v * v).sum::<f32>() / 64.0;
    assert!(mean.abs() < 1e-5, "the mean is {mean}, expected 0");
    assert!((variance - 1.0).abs() < 1e-5, "the variance is {variance}, expected 1");
}

#[test]
fn shifts_and_scales_of_the_input_change_nothing() {
    let x = [0.5f32, -1.0, 2.0, 0.25];
    let moved: Vec<f32> = x.iter().map(|v| 8.0 * v - 3.0).collect();
    assert_close(&plain(&moved, 0.0), &plain(&x, 0.0), 1e-5, "8 x - 3 has the same norm as x");
}

#[test]
fn eps_saves_equal_numbers() {
    assert_close(&plain(&[7.0; 3], 1e-5), &[0.0; 3], 0.0, "equal numbers become 0, not NaN");
}

#[test]
fn eps_is_inside_the_root() {
    // Variance 4, eps 5: the root is 3. With eps outside it would be 2 + 5.
    assert_close(&plain(&[2.0, -2.0], 5.0), &[2.0 / 3.0, -2.0 / 3.0], 1e-6, "sqrt(4 + 5) is 3");
}

#[test]
fn the_bias_is_not_scaled() {
    let got = layer_norm(&[1.0, 3.0], &[10.0, 10.0], &[0.5, 0.25], 0.0);
    assert_close(&got, &[-9.5, 10.25], 1e-5, "gain first, then bias");
}

#[test]
fn a_large_mean_does_not_drown_the_variance() {
    let x: Vec<f32> = (0..256).map(|i| 100_000.0 + (i % 2) as f32).collect();
    let want: Vec<f32> = (0..256).map(|i| if i % 2 == 0 { -1.0 } else { 1.0 }).collect();
    assert_close(&plain(&x, 0.0), &want, 1e-4, "sum in f64");
}
