//! Tests of exercise 07.7.
#![allow(clippy::unwrap_used)]

use ex_generation::e7_order_of_cuts::distribution;

#[track_caller]
fn assert_close(got: &[f64], want: &[f64], why: &str) {
    assert_eq!(got.len(), want.len(), "a probability for each token");
    for (token, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() < 1e-6, "token {token} has {g}, expected {w}: {why}");
    }
}

/// Logits of tokens with these weights.
fn ln(weights: &[f32]) -> Vec<f32> {
    weights.iter().map(|weight| weight.ln()).collect()
}

const ALL: usize = usize::MAX;

#[test]
fn temperature_is_a_power() {
    let got = distribution(&ln(&[1.0, 2.0, 4.0]), 0.5, ALL, 0.0).unwrap();
    assert_close(&got, &[1.0 / 21.0, 4.0 / 21.0, 16.0 / 21.0], "temperature 0.5 squares the weights");
    let got = distribution(&ln(&[1.0, 4.0, 16.0]), 2.0, ALL, 0.0).unwrap();
    assert_close(&got, &[1.0 / 7.0, 2.0 / 7.0, 4.0 / 7.0], "temperature 2 takes the root");
}

#[test]
fn top_k_keeps_k() {
    let got = distribution(&ln(&[1.0, 4.0, 2.0, 4.0]), 1.0, 2, 0.0).unwrap();
    assert_close(&got, &[0.0, 0.5, 0.0, 0.5], "the two most likely");
    let got = distribution(&ln(&[4.0, 4.0, 4.0]), 1.0, 2, 0.0).unwrap();
    assert_close(&got, &[0.5, 0.5, 0.0], "of equals the smaller ids");
    assert_close(&distribution(&ln(&[1.0, 3.0]), 1.0, 99, 0.0).unwrap(), &[0.25, 0.75], "99 of two are two");
}

#[test]
fn min_p_is_a_share_of_the_largest() {
    let got = distribution(&ln(&[8.0, 4.0, 2.0, 1.0]), 1.0, ALL, 0.2).unwrap();
    assert_close(&got, &[8.0 / 14.0, 4.0 / 14.0, 2.0 / 14.0, 0.0], "at least a fifth of the largest");
    assert_close(&distribution(&ln(&[8.0, 8.0, 2.0]), 1.0, ALL, 1.0).unwrap(), &[0.5, 0.5, 0.0], "the best alone");
}

#[test]
fn temperature_comes_before_min_p() {
    let logits = ln(&[1.0, 2.0, 4.0]);
    assert_close(&distribution(&logits, 0.5, 2, 0.5).unwrap(), &[0.0, 0.0, 1.0], "4 of 16 are less than half");
    let got = distribution(&logits, 1.0, 2, 0.4).unwrap();
    assert_close(&got, &[0.0, 1.0 / 3.0, 2.0 / 3.0], "2 of 4 are more than 0.4");
    let got = distribution(&logits, 2.0, ALL, 0.4).unwrap();
    let total = 3.0 + 2f64.sqrt();
    assert_close(&got, &[1.0 / total, 2f64.sqrt() / total, 2.0 / total], "flattened, even the last has half");
}

#[test]
fn large_logits_do_not_overflow() {
    let got = distribution(&[800.0, 800.0, -800.0, f32::NEG_INFINITY], 1.0, ALL, 0.0).unwrap();
    assert_close(&got, &[0.5, 0.5, 0.0, 0.0], "subtract the largest logit before exp");
}

#[test]
fn settings_that_cannot_be_are_errors() {
    let error =
        |temperature, top_k, min_p| distribution(&[0.0], temperature, top_k, min_p).expect_err("must be refused");
    assert!(error(0.0, 1, 0.0).contains('0') && error(-1.5, 1, 0.0).contains("-1.5"));
    assert!(error(f64::NAN, 1, 0.0).contains("NaN") && error(1.0, 0, 0.0).contains('0'));
    assert!(error(1.0, 1, 1.25).contains("1.25") && error(1.0, 1, -0.25).contains("-0.25"));
    assert!(error(1.0, 1, f64::NAN).contains("NaN"));
}
