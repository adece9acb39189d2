//! Tests of exercise 09.4. The literals come from `exercises/reference.py`.

use ex_kernels::e4_one_pass_adamw::{Parameter, Settings, step};

const SETTINGS: Settings = Settings { lr: 0.1, beta1: 0.9, beta2: 0.95, eps: 1e-8, max_norm: 1.0 };

/// A parameter's own memory.
#[derive(Clone, Debug, PartialEq)]
struct State {
    weight: Vec<f64>,
    gradient: Vec<f64>,
    first: Vec<f64>,
    second: Vec<f64>,
    decay: f64,
}

impl State {
    fn new(weight: &[f64], gradient: &[f64], decay: f64) -> Self {
        let zeros = vec![0.0; weight.len()];
        Self { weight: weight.to_vec(), gradient: gradient.to_vec(), first: zeros.clone(), second: zeros, decay }
    }
}

fn run(states: &mut [State], settings: &Settings, t: i32, n_targets: usize) -> f64 {
    let mut parameters: Vec<Parameter> = states
        .iter_mut()
        .map(|s| Parameter {
            weight: &mut s.weight,
            gradient: &s.gradient,
            first: &mut s.first,
            second: &mut s.second,
            decay: s.decay,
        })
        .collect();
    step(&mut parameters, settings, t, n_targets)
}

fn numbers(n: usize, seed: usize) -> Vec<f64> {
    (0..n).map(|i| ((i * 7919 + seed * 104_729) % 2003) as f64 / 1000.0 - 1.0).collect()
}

#[track_caller]
fn assert_close(got: &[f64], want: &[f64], why: &str) {
    assert_eq!(got.len(), want.len());
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() <= 1e-9, "number {i} is {g}, expected {w}: {why}");
    }
}

#[test]
fn three_steps_of_two_parameters() {
    let mut states = [State::new(&[1.0], &[0.0], 0.1), State::new(&[-2.0], &[0.0], 0.0)];
    let want = [
        ([3.0, 4.0], 2.5, [0.890_000_002, -2.099_999_999]),
        ([0.5, -0.2], 0.269_258_240, [0.789_808_253, -2.157_964_373]),
    ];
    for (i, (gradients, norm, weights)) in want.iter().enumerate() {
        for (state, g) in states.iter_mut().zip(gradients) {
            state.gradient = vec![*g];
        }
        let found = run(&mut states, &SETTINGS, i as i32 + 1, 2);
        assert!((found - norm).abs() < 1e-8, "the norm of the mean gradient is {norm}, got {found}");
        let found = [states[0].weight[0], states[1].weight[0]];
        assert!(
            (found[0] - weights[0]).abs() < 1e-7 && (found[1] - weights[1]).abs() < 1e-7,
            "after step {}: {found:?}, expected {weights:?}",
            i + 1
        );
    }
}

#[test]
fn one_factor_clips_all_parameters() {
    let mut states = [State::new(&[0.0], &[3.0], 0.0), State::new(&[0.0], &[4.0], 0.0)];
    let norm = run(&mut states, &SETTINGS, 1, 1);
    assert!((norm - 5.0).abs() < 1e-12, "the norm from before clipping is 5, got {norm}");
    assert_close(
        &[states[0].first[0], states[1].first[0]],
        &[0.06, 0.08],
        "first moments of the gradients 0.6 and 0.8",
    );
    assert_close(&[states[0].second[0], states[1].second[0]], &[0.018, 0.032], "second moments of 0.6 and 0.8");
}

#[test]
fn a_short_gradient_is_not_made_longer() {
    let mut states = [State::new(&[0.0, 0.0], &[0.3, -0.4], 0.0)];
    run(&mut states, &SETTINGS, 1, 1);
    assert_close(&states[0].first, &[0.03, -0.04], "below the limit the gradient is left alone");
}

#[test]
fn the_count_divides_once() {
    let gradient = numbers(7, 3);
    let eightfold: Vec<f64> = gradient.iter().map(|g| 8.0 * g).collect();
    let settings = Settings { max_norm: 0.01, ..SETTINGS };
    for settings in [&SETTINGS, &settings] {
        let mut mean = [State::new(&numbers(7, 1), &gradient, 0.1)];
        let mut sum = [State::new(&numbers(7, 1), &eightfold, 0.1)];
        let norms = [run(&mut mean, settings, 1, 1), run(&mut sum, settings, 1, 8)];
        assert!((norms[0] - norms[1]).abs() < 1e-12, "norms {norms:?} of the same mean gradient");
        assert_close(&sum[0].first, &mean[0].first, "a sum over 8 targets is 8 times their mean");
        assert_close(&sum[0].weight, &mean[0].weight, "a sum over 8 targets is 8 times their mean");
    }
}

#[test]
fn decay_is_each_parameters_own() {
    let mut states = [State::new(&[3.0], &[0.0], 0.5), State::new(&[3.0], &[0.0], 0.0)];
    assert_eq!(run(&mut states, &SETTINGS, 1, 4), 0.0, "no gradient, no norm");
    assert_close(&states[0].weight, &[3.0 * 0.95], "1 - lr decay times the weight; a norm of 0 is no division");
    assert_eq!(states[1].weight, [3.0], "a gain without gradient stays");
    assert_eq!((states[0].first[0], states[0].second[0]), (0.0, 0.0), "decay does not enter the moments");
}

#[test]
fn how_parameters_are_cut_changes_nothing() {
    let (weight, settings) = (numbers(10, 1), Settings { max_norm: 0.5, ..SETTINGS });
    let mut whole = [State::new(&weight, &numbers(10, 2), 0.1)];
    let mut parts =
        [State::new(&weight[..3], &numbers(10, 2)[..3], 0.1), State::new(&weight[3..], &numbers(10, 2)[3..], 0.1)];
    for t in 1..=4 {
        let norms = [run(&mut whole, &settings, t, 3), run(&mut parts, &settings, t, 3)];
        assert!((norms[0] - norms[1]).abs() < 1e-12, "norms {norms:?}");
    }
    assert_close(&parts[0].weight, &whole[0].weight[..3], "the first three numbers");
    assert_close(&parts[1].weight, &whole[0].weight[3..], "the last seven numbers");
    assert_eq!(whole[0].gradient, numbers(10, 2), "the gradient is not changed");
}
