//! Tests of exercise 01.2. The expected gradients are derivatives taken by hand.

use ex_tensors::e2_gradient_check::{gradient_error, numeric_gradient};

#[track_caller]
fn assert_close(got: &[f64], want: &[f64], tolerance: f64, why: &str) {
    assert_eq!(got.len(), want.len(), "one slope for each input");
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() <= tolerance, "g[{i}] is {g}, expected {w}: {why}");
    }
}

#[test]
fn slope_of_a_product() {
    let got = numeric_gradient(|x| x[0] * x[1], &[3.0, 5.0], 1e-4);
    assert_close(&got, &[5.0, 3.0], 1e-8, "d(xy)/dx = y, and the difference is divided by 2h");
}

#[test]
fn every_input_moves_alone() {
    // If x[0] is not put back, x[0] * x[1] * x[2] is taken at another point for the later inputs.
    let got = numeric_gradient(|x| x[0] * x[1] * x[2], &[2.0, 3.0, 4.0], 0.5);
    assert_close(&got, &[12.0, 8.0, 6.0], 1e-12, "put each input back before moving the next");
}

#[test]
fn both_sides_are_used() {
    // For x^3 the central difference is 3 x^2 + h^2, the one-sided one 3 x^2 + 3 x h + h^2.
    let h = 1e-2;
    let got = numeric_gradient(|x| x[0].powi(3), &[1.0], h);
    assert_close(&got, &[3.0 + h * h], 1e-9, "f(x + h) - f(x - h), not f(x + h) - f(x)");
}

#[test]
fn equal_gradients_have_no_error() {
    assert_eq!(gradient_error(&[1.0, -2.0], &[1.0, -2.0]), 0.0);
    assert_eq!(gradient_error(&[], &[]), 0.0);
}

#[test]
fn error_is_relative_for_large_gradients_and_absolute_for_small_ones() {
    let large = gradient_error(&[5.0, 6.0], &[5.0, 3.0]);
    assert!((large - 0.5).abs() < 1e-12, "|6 - 3| / max(1, 6, 3) is 0.5, got {large}");
    let negative = gradient_error(&[-8.0], &[4.0]);
    assert!((negative - 1.5).abs() < 1e-12, "|-8 - 4| / max(1, 8, 4) is 1.5, got {negative}");
    let small = gradient_error(&[1e-9], &[3e-9]);
    assert!(small < 1e-8, "gradients near zero are compared absolutely, got {small}");
}

#[test]
fn the_worst_place_counts_not_the_last() {
    let error = gradient_error(&[9.0, 1.0, 1.0], &[1.0, 1.0, 1.0]);
    assert!((error - 8.0 / 9.0).abs() < 1e-12, "the largest error is at place 0: 8/9, got {error}");
}

#[test]
fn nan_never_passes() {
    for (a, n) in [([f64::NAN, 1.0], [1.0, 1.0]), ([1.0, 1.0], [1.0, f64::NAN])] {
        let error = gradient_error(&a, &n);
        assert_eq!(
            error,
            f64::INFINITY,
            "{a:?} against {n:?}: f64::max(x, NaN) is x, so a fold drops the NaN unless you look for it"
        );
    }
}

#[test]
fn the_check_finds_a_wrong_backward_pass() {
    let (x, f) = ([0.3_f64, -1.2], |x: &[f64]| (x[0] * x[1]).sin());
    let slope = (x[0] * x[1]).cos();
    let numeric = numeric_gradient(f, &x, 1e-5);
    let right = gradient_error(&[x[1] * slope, x[0] * slope], &numeric);
    let swapped = gradient_error(&[x[0] * slope, x[1] * slope], &numeric);
    assert!(right < 1e-8, "the right gradient has an error of {right}");
    assert!(swapped > 0.1, "a gradient with its two places swapped has an error of only {swapped}");
}
