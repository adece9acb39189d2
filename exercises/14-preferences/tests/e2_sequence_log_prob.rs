//! Tests of exercise 14.2. The literals come from `exercises/reference.py`.

use ex_preferences::e2_sequence_log_prob::sequence_log_prob;

/// Four places, three tokens in the vocabulary. The last row predicts a token that is not there.
fn logits() -> Vec<Vec<f64>> {
    vec![vec![1.0, 2.0, 0.5], vec![0.0, -1.0, 3.0], vec![2.0, 2.0, 1.0], vec![9.0, 9.0, 9.0]]
}

const TOKENS: [usize; 4] = [0, 1, 2, 1];

#[track_caller]
fn assert_log_prob(mask: [bool; 4], want: f64, why: &str) {
    let got = sequence_log_prob(&logits(), &TOKENS, &mask);
    assert!((got - want).abs() < 1e-8, "the log-probability is {got}, expected {want}: {why}");
}

#[test]
fn the_answer_alone_counts() {
    assert_log_prob([false, false, true, true], -0.927_878_708, "tokens 2 and 3, predicted by rows 1 and 2");
    assert_log_prob([false, false, true, false], -0.065_883_904, "token 2 alone, predicted by row 1");
}

#[test]
fn the_first_token_never_counts() {
    assert_log_prob([true; 4], -1.392_247_492, "nothing predicts the first token");
    assert_log_prob([true, false, false, false], 0.0, "nothing predicts the first token");
}

#[test]
fn an_empty_answer_is_certain() {
    assert_log_prob([false; 4], 0.0, "the sum of nothing is 0, and exp(0) is 1");
    assert_eq!(sequence_log_prob(&[], &[], &[]), 0.0);
}

#[test]
fn tokens_are_summed_not_averaged() {
    let n = 3;
    let logits = vec![vec![0.7, 0.7]; n + 1];
    let mut mask = vec![true; n + 1];
    mask[0] = false;
    let got = sequence_log_prob(&logits, &[0, 1, 0, 1], &mask);
    let want = n as f64 * 0.5_f64.ln();
    assert!((got - want).abs() < 1e-12, "3 tokens of probability 1/2 give {want}, got {got}");
}

#[test]
fn the_last_logits_do_not_matter() {
    let mut changed = logits();
    changed[3] = vec![-50.0, 0.0, 80.0];
    let mask = [false, true, true, true];
    assert_eq!(
        sequence_log_prob(&changed, &TOKENS, &mask),
        sequence_log_prob(&logits(), &TOKENS, &mask),
        "row 3 predicts token 4, which is not there"
    );
}

#[test]
fn probabilities_of_all_continuations_sum_to_one() {
    let mask = [false, false, true, true];
    let mut total = 0.0;
    for a in 0..3 {
        for b in 0..3 {
            total += sequence_log_prob(&logits(), &[0, 1, a, b], &mask).exp();
        }
    }
    assert!((total - 1.0).abs() < 1e-9, "the nine answers of two tokens have {total} together, expected 1");
}

#[test]
fn large_logits_stay_finite() {
    let logits = vec![vec![2000.0, 0.0], vec![0.0, 0.0]];
    let unlikely = sequence_log_prob(&logits, &[0, 1], &[false, true]);
    assert!((unlikely + 2000.0).abs() < 1e-9, "expected -2000, got {unlikely}: no exp of a large number, no ln(0)");
}
