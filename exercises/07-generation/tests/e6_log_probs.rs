//! Tests of exercise 07.6.

use ex_generation::e6_log_probs::log_probs;

fn ln(probabilities: &[f32]) -> Vec<f32> {
    probabilities.iter().map(|p| p.ln()).collect()
}

#[track_caller]
fn assert_close(got: f64, want: f64, why: &str) {
    assert!((got - want).abs() < 1e-6, "{got}, expected {want}: {why}");
}

#[test]
fn logs_of_known_probabilities() {
    let (of_token, top) = log_probs(&ln(&[0.2, 0.5, 0.3]), 0, 2);
    assert_close(of_token, 0.2f64.ln(), "natural logarithm");
    assert_eq!(top.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 2], "most likely first");
    assert_close(top[0].1, 0.5f64.ln(), "the sum runs over all tokens");
    assert_close(top[1].1, 0.3f64.ln(), "the sum runs over all tokens");
}

#[test]
fn a_shift_of_all_logits_changes_nothing() {
    let logits = [1.5f32, -0.5, 0.25, 2.0];
    let shifted: Vec<f32> = logits.iter().map(|z| z + 16.0).collect();
    for token in 0..4 {
        assert_close(log_probs(&shifted, token, 0).0, log_probs(&logits, token, 0).0, "only differences count");
    }
}

#[test]
fn probabilities_sum_to_one() {
    let logits: Vec<f32> = (0..50).map(|i| (i * 37 % 11) as f32 / 3.0).collect();
    let total: f64 = (0..50).map(|token| log_probs(&logits, token, 0).0.exp()).sum();
    assert_close(total, 1.0, "over all tokens");
}

#[test]
fn large_logits_do_not_overflow() {
    let (of_token, top) = log_probs(&[900.0, 900.0, 0.0], 1, 1);
    assert_close(of_token, 0.5f64.ln(), "e^900 is infinite, but nobody needs it");
    assert_close(top[0].1, 0.5f64.ln(), "e^900 is infinite, but nobody needs it");
    assert_close(log_probs(&[900.0, 0.0], 1, 0).0, -900.0, "and a tiny probability keeps its logarithm");
}

#[test]
fn a_token_that_cannot_come() {
    let (of_token, top) = log_probs(&[0.0, f32::NEG_INFINITY, 0.0], 1, 2);
    assert_eq!(of_token, f64::NEG_INFINITY, "not NaN");
    assert_close(top[0].1, 0.5f64.ln(), "the other two share everything");
}

#[test]
fn equals_come_by_id_and_few_are_all() {
    let ids = |n_top| log_probs(&[1.0, 3.0, 1.0, 3.0], 0, n_top).1.iter().map(|(id, _)| *id).collect::<Vec<_>>();
    assert_eq!(ids(3), [1, 3, 0]);
    assert_eq!(ids(9), [1, 3, 0, 2], "there are only four");
    assert!(ids(0).is_empty(), "none asked for");
}
