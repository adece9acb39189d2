//! Tests of exercise 08.2. The literals come from `exercises/reference.py`.

use ex_training::e2_schedule_and_clip::{Schedule, clip_global_norm, learning_rate};

const SCHEDULE: Schedule = Schedule { warmup_steps: 10, total_steps: 110, peak: 1.0, floor: 0.1 };

#[track_caller]
fn assert_rate(step: usize, want: f64, why: &str) {
    let got = learning_rate(step, &SCHEDULE);
    assert!((got - want).abs() < 1e-8, "the rate of step {step} is {got}, expected {want}: {why}");
}

fn norm(grads: &[Vec<f64>]) -> f64 {
    grads.iter().flatten().map(|g| g * g).sum::<f64>().sqrt()
}

#[test]
fn warmup_rises_in_a_line() {
    assert_rate(0, 0.1, "the first of ten steps has a tenth of the peak, not 0");
    assert_rate(4, 0.5, "half of the warm-up");
    assert_rate(9, 1.0, "the last step of the warm-up has the peak");
}

#[test]
fn cosine_falls_from_the_peak_to_the_floor() {
    assert_rate(10, 1.0, "the cosine starts at the peak");
    assert_rate(35, 0.868_198_052, "a quarter of the way");
    assert_rate(60, 0.55, "half way between peak and floor");
    assert_rate(85, 0.231_801_948, "three quarters of the way");
    assert_rate(110, 0.1, "the end is the floor, not 0");
}

#[test]
fn the_floor_holds_after_the_end() {
    for step in [111, 150, 210, 500] {
        assert_rate(step, 0.1, "a cosine rises again after half a turn: limit the progress to 1");
    }
}

#[test]
fn warmup_may_be_absent() {
    let schedule = Schedule { warmup_steps: 0, ..SCHEDULE };
    assert_eq!(learning_rate(0, &schedule), 1.0, "without warm-up the first step has the peak");
}

#[test]
fn a_long_gradient_is_scaled_to_the_limit() {
    let mut grads = vec![vec![3.0], vec![4.0]];
    let before = clip_global_norm(&mut grads, 1.0);
    assert!((before - 5.0).abs() < 1e-12, "the norm before clipping is 5, got {before}");
    let (a, b) = (grads[0][0], grads[1][0]);
    assert!(
        (a - 0.6).abs() < 1e-12 && (b - 0.8).abs() < 1e-12,
        "[[3], [4]] at 1 is [[0.6], [0.8]], got {grads:?}: one factor for all tensors"
    );
}

#[test]
fn the_norm_after_clipping_is_the_limit() {
    let mut grads = vec![vec![1.0, -2.0, 0.5], vec![], vec![7.0, 0.0], vec![-0.1; 40]];
    let want = norm(&grads);
    let before = clip_global_norm(&mut grads, 2.5);
    assert!((before - want).abs() < 1e-12, "returns the norm from before clipping, {want}, got {before}");
    let after = norm(&grads);
    assert!((after - 2.5).abs() < 1e-12, "the norm after clipping is {after}, expected 2.5");
}

#[test]
fn a_short_gradient_is_left_alone() {
    let mut grads = vec![vec![0.3], vec![-0.4]];
    let before = clip_global_norm(&mut grads, 1.0);
    assert!((before - 0.5).abs() < 1e-12, "the norm is 0.5, got {before}");
    assert_eq!(grads, [[0.3], [-0.4]], "below the limit nothing changes: clipping never makes a step longer");
}

#[test]
fn no_gradient_is_no_division() {
    let mut grads = vec![vec![0.0, 0.0]];
    assert_eq!(clip_global_norm(&mut grads, 1.0), 0.0);
    assert_eq!(grads, [[0.0, 0.0]], "zeros stay zeros, not NaN");
}
