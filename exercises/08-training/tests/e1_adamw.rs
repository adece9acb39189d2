//! Tests of exercise 08.1. The literals come from `exercises/reference.py`.

use ex_training::e1_adamw::{AdamW, Moments, adamw_step};

const SETTINGS: AdamW = AdamW { lr: 0.1, beta1: 0.9, beta2: 0.95, eps: 1e-8, weight_decay: 0.1 };

fn fresh(n_params: usize) -> Moments {
    Moments { m: vec![0.0; n_params], v: vec![0.0; n_params], step: 0 }
}

#[track_caller]
fn assert_close(got: &[f64], want: &[f64], why: &str) {
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() <= 1e-9, "parameter {i} is {g}, expected {w}: {why}");
    }
}

#[test]
fn three_steps() {
    let mut params = [1.0, -2.0];
    let mut moments = fresh(2);
    let steps = [
        ([0.5, -0.2], [0.890_000_002, -1.880_000_005]),
        ([0.1, 0.4], [0.799_847_118_809, -1.897_537_398_857]),
        ([-0.3, 0.4], [0.770_535_237_025, -1.941_729_380_375]),
    ];
    for (done, (grads, want)) in steps.iter().enumerate() {
        adamw_step(&mut params, grads, &mut moments, &SETTINGS);
        assert_close(&params, want, &format!("after {} steps", done + 1));
        assert_eq!(moments.step as usize, done + 1, "step counts the steps done");
    }
}

#[test]
fn the_first_step_has_the_size_of_the_learning_rate() {
    let settings = AdamW { weight_decay: 0.0, ..SETTINGS };
    for grad in [1e-3, -7.0, 1e4] {
        let mut params = [0.0];
        adamw_step(&mut params, &[grad], &mut fresh(1), &settings);
        let want = -0.1 * f64::signum(grad);
        assert!(
            (params[0] - want).abs() < 1e-5,
            "gradient {grad} moved the parameter by {}, expected {want}: is the bias corrected?",
            params[0]
        );
    }
}

#[test]
fn decay_is_decoupled_from_the_gradient() {
    let mut params = [3.0];
    let mut moments = fresh(1);
    for _ in 0..2 {
        adamw_step(&mut params, &[0.0], &mut moments, &SETTINGS);
    }
    assert_close(&params, &[3.0 * 0.99 * 0.99], "without gradient a step multiplies by 1 - lr * weight_decay");
    assert_eq!((moments.m[0], moments.v[0]), (0.0, 0.0), "decay must not enter the moments");
}

#[test]
fn eps_is_added_to_the_root() {
    // m_hat = 1e-8 and sqrt(v_hat) = 1e-8 = eps: half a step. Inside the root, eps would all but
    // stop it.
    let mut params = [1.0];
    let settings = AdamW { weight_decay: 0.0, ..SETTINGS };
    adamw_step(&mut params, &[1e-8], &mut fresh(1), &settings);
    assert_close(&params, &[0.95], "sqrt(v_hat) + eps, not sqrt(v_hat + eps)");
}

#[test]
fn moments_are_running_means() {
    let mut moments = fresh(1);
    adamw_step(&mut [0.0], &[2.0], &mut moments, &SETTINGS);
    assert_close(&[moments.m[0], moments.v[0]], &[0.2, 0.2], "m = 0.1 * 2, v = 0.05 * 4, stored uncorrected");
    adamw_step(&mut [0.0], &[0.0], &mut moments, &SETTINGS);
    assert_close(&[moments.m[0], moments.v[0]], &[0.18, 0.19], "m decays by beta1, v by beta2");
}

#[test]
fn it_finds_the_minimum_of_a_parabola() {
    let settings = AdamW { weight_decay: 0.0, lr: 0.05, ..SETTINGS };
    let (mut params, mut moments) = ([4.0, -3.0], fresh(2));
    for _ in 0..2000 {
        // f = (x - 1)^2 + 100 (y - 2)^2: one direction is a hundred times as steep as the other.
        let grads = [2.0 * (params[0] - 1.0), 200.0 * (params[1] - 2.0)];
        adamw_step(&mut params, &grads, &mut moments, &settings);
    }
    let distance = (params[0] - 1.0).abs().max((params[1] - 2.0).abs());
    assert!(distance < 0.1, "after 2000 steps at {params:?}, expected [1, 2]");
}
