//! Tests of exercise 01.1. The literals come from `exercises/reference.py`.

use ex_tensors::e1_softmax::softmax;

#[track_caller]
fn assert_close(got: &[f32], want: &[f32], why: &str) {
    assert_eq!(got.len(), want.len(), "one probability for each logit");
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        // A NaN fails the comparison too.
        assert!((g - w).abs() <= 1e-6, "p[{i}] is {g}, expected {w}: {why}");
    }
}

#[test]
fn known_values() {
    let why = "exp of each logit over the sum of all of them";
    assert_close(&softmax(&[1.0, 2.0, 3.0]), &[0.090_030_57, 0.244_728_47, 0.665_240_96], why);
    assert_close(&softmax(&[-1.0, 0.5, 2.0, 0.0]), &[0.035_353_79, 0.158_444_7, 0.710_099_9, 0.096_101_57], why);
}

#[test]
fn probabilities_sum_to_one() {
    let logits: Vec<f32> = (0..1000).map(|i| (i * 37 % 101) as f32 / 10.0).collect();
    let sum: f32 = softmax(&logits).iter().sum();
    assert!((sum - 1.0).abs() < 1e-4, "the probabilities sum to {sum}, expected 1");
}

#[test]
fn large_logits_do_not_overflow() {
    assert_close(
        &softmax(&[1001.0, 1002.0, 1003.0]),
        &[0.090_030_57, 0.244_728_47, 0.665_240_96],
        "exp(1001) is infinite in f32; shift all logits first, that changes nothing else",
    );
}

#[test]
fn very_negative_logits_do_not_vanish() {
    assert_close(
        &softmax(&[-1001.0, -1000.0, -999.0]),
        &[0.090_030_57, 0.244_728_47, 0.665_240_96],
        "if all exponentials round to 0, the sum is 0 too; shift by the largest of these logits, not by 0",
    );
}

#[test]
fn a_masked_logit_has_probability_zero() {
    let p = softmax(&[0.0, f32::NEG_INFINITY, 0.0]);
    assert_close(&p, &[0.5, 0.0, 0.5], "a logit of minus infinity is masked out");
    assert_eq!(p[1], 0.0, "masked means exactly zero");
}

#[test]
fn edges() {
    assert!(softmax(&[]).is_empty(), "no logits, no probabilities");
    assert_close(&softmax(&[-3.0]), &[1.0], "a single choice is certain");
}
