//! Tests of exercise 07.1. The probabilities are sums of powers of two, so that sums are exact.
#![allow(clippy::unwrap_used)]

use ex_generation::e1_top_p::top_p;

const PROBABILITIES: [f64; 4] = [0.125, 0.5, 0.125, 0.25];

#[track_caller]
fn assert_close(got: &[f64], want: &[f64], why: &str) {
    assert_eq!(got.len(), want.len(), "a probability for each token");
    for (token, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() < 1e-12, "token {token} has {g}, expected {w}: {why}");
    }
}

#[test]
fn the_token_that_crosses_the_line_stays() {
    let got = top_p(&PROBABILITIES, 0.6).unwrap();
    assert_close(&got, &[0.0, 2.0 / 3.0, 0.0, 1.0 / 3.0], "0.5 alone does not reach 0.6");
}

#[test]
fn a_set_that_reaches_p_exactly_is_enough() {
    let got = top_p(&PROBABILITIES, 0.75).unwrap();
    assert_close(&got, &[0.0, 2.0 / 3.0, 0.0, 1.0 / 3.0], "0.5 + 0.25 reaches 0.75");
    assert_close(&top_p(&PROBABILITIES, 0.5).unwrap(), &[0.0, 1.0, 0.0, 0.0], "0.5 reaches 0.5");
}

#[test]
fn one_token_always_stays() {
    assert_close(&top_p(&PROBABILITIES, 1e-9).unwrap(), &[0.0, 1.0, 0.0, 0.0], "the most likely one");
    assert_close(&top_p(&[1.0], 0.1).unwrap(), &[1.0], "there is no other");
}

#[test]
fn equally_likely_tokens_come_in_the_order_of_their_ids() {
    let got = top_p(&PROBABILITIES, 0.8).unwrap();
    assert_close(&got, &[1.0 / 7.0, 4.0 / 7.0, 0.0, 2.0 / 7.0], "token 0 before token 2");
}

#[test]
fn all_of_it_is_all_of_it() {
    assert_close(&top_p(&PROBABILITIES, 1.0).unwrap(), &PROBABILITIES, "p = 1 cuts nothing");
}

#[test]
fn what_stays_sums_to_one() {
    for p in [0.3, 0.55, 0.9, 0.99] {
        let total: f64 = top_p(&PROBABILITIES, p).unwrap().iter().sum();
        assert!((total - 1.0).abs() < 1e-12, "with p = {p} the sum is {total}");
    }
}

#[test]
fn a_p_that_cannot_be_is_an_error() {
    for p in [0.0, -0.5, 1.5, f64::NAN] {
        let error = top_p(&PROBABILITIES, p).expect_err("0 keeps nothing, and there is no more than 1");
        assert!(error.contains(&p.to_string()), "name the value, not: {error}");
    }
}
