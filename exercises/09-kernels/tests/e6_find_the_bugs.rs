//! Tests of exercise 09.6: every one is red at first. The literals come from `exercises/reference.py`.

use ex_kernels::e6_find_the_bugs::loss_and_gradient;

/// Loss and gradient of rows that all count, of a fresh copy of the logits.
fn run(logits: &[f64], vocab_size: usize, targets: &[usize]) -> (f64, Vec<f64>) {
    let mut gradient = logits.to_vec();
    let loss = loss_and_gradient(&mut gradient, vocab_size, targets, &vec![true; targets.len()]);
    (loss, gradient)
}

#[track_caller]
fn assert_close(got: f64, want: f64, why: &str) {
    assert!((got - want).abs() <= 1e-8 * want.abs().max(1.0), "got {got}, expected {want}: {why}");
}

#[test]
fn the_value_for_a_row_as_wide_as_the_lanes() {
    let (loss, _) = run(&[1.0, 2.0, 0.5, -1.0], 4, &[0]);
    assert_close(loss, 1.495_181_898, "the log-sum-exp less the target's logit");
    let (loss, _) = run(&[1.0, 2.0, 0.5, -1.0, 3.0, 3.0, 3.0, 3.0], 4, &[1, 2]);
    assert_close(loss, 0.495_181_898 + 4f64.ln(), "the sum over two rows");
}

#[test]
fn a_constant_added_to_all_logits_changes_nothing() {
    let logits = [0.3, -1.2, 2.0, 0.7];
    for shift in [-1000.0, -3.0, 50.0, 1000.0] {
        let shifted = logits.map(|z| z + shift);
        let (loss, _) = run(&shifted, 4, &[3]);
        assert_close(loss, 1.702_779_853, &format!("logits shifted by {shift}"));
    }
}

#[test]
fn the_gradient_of_a_row_sums_to_zero() {
    // The largest logit is 0, so that the shift by the maximum changes nothing.
    let (_, gradient) = run(&[-1.0, 0.0, -2.0, -0.5], 4, &[2]);
    assert_close(gradient.iter().sum(), 0.0, "probabilities sum to 1, and the target's 1 is taken away");
    assert!(gradient[2] < 0.0, "descent must raise the target's logit, but its gradient is {}", gradient[2]);
}

#[test]
fn no_width_forgets_a_logit() {
    for vocab_size in [1, 2, 3, 5, 6, 7, 9, 13] {
        let (loss, _) = run(&vec![0.0; vocab_size], vocab_size, &[vocab_size - 1]);
        assert_close(loss, (vocab_size as f64).ln(), &format!("{vocab_size} equal logits"));
    }
}

#[test]
fn rows_that_do_not_count_have_no_gradient() {
    let mut logits = vec![0.0, -1.0, -2.0, -3.0, 7.0, 8.0, 9.0, 10.0];
    let loss = loss_and_gradient(&mut logits, 4, &[0, 1], &[true, false]);
    assert_close(loss, 0.440_189_699, "the first row alone");
    assert_eq!(logits[4..], [0.0; 4], "the caller multiplies these numbers into the gradients of the weights");
}

#[test]
fn every_derivative_is_the_difference_quotient() {
    const H: f64 = 1e-6;
    let logits: Vec<f64> = (0..3 * 6).map(|i| ((i * 37 + 11) % 29) as f64 / 7.0 - 2.0).collect();
    let targets = [0, 5, 3];
    let (_, gradient) = run(&logits, 6, &targets);
    for i in 0..logits.len() {
        let at = |by: f64| {
            let mut nudged = logits.clone();
            nudged[i] += by;
            run(&nudged, 6, &targets).0
        };
        let want = (at(H) - at(-H)) / (2.0 * H);
        assert!((gradient[i] - want).abs() < 1e-6, "dz[{i}] is {}, the quotient is {want}", gradient[i]);
    }
}
