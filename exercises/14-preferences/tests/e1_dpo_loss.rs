//! Tests of exercise 14.1. The literals come from `exercises/reference.py`.

use ex_preferences::e1_dpo_loss::{DpoLoss, LogProbs, dpo_loss};

fn pair(chosen: f64, rejected: f64) -> LogProbs {
    LogProbs { chosen, rejected }
}

#[track_caller]
fn assert_loss(got: DpoLoss, loss: f64, slope: f64) {
    assert!((got.loss - loss).abs() < 1e-8, "the loss is {}, expected {loss}", got.loss);
    assert!((got.d_chosen + slope).abs() < 1e-8, "d_chosen is {}, expected {}", got.d_chosen, -slope);
    assert!((got.d_rejected - slope).abs() < 1e-8, "d_rejected is {}, expected {slope}", got.d_rejected);
}

#[test]
fn known_values() {
    // The policy has learned the preference a little; then it prefers the wrong answer.
    assert_loss(dpo_loss(pair(-12.0, -15.0), pair(-14.0, -13.0), 0.1), 0.513_015_252, 0.040_131_234);
    assert_loss(dpo_loss(pair(-15.0, -12.0), pair(-13.0, -14.0), 0.5), 2.126_928_011, 0.440_398_539);
}

#[test]
fn a_policy_equal_to_its_reference_starts_at_ln_2() {
    let same = pair(-20.0, -3.0);
    let got = dpo_loss(same, same, 0.1);
    assert_loss(got, std::f64::consts::LN_2, 0.05);
}

#[test]
fn only_the_change_against_the_reference_counts() {
    let a = dpo_loss(pair(-10.0, -30.0), pair(-12.0, -29.0), 0.2);
    let b = dpo_loss(pair(-60.0, -5.0), pair(-62.0, -4.0), 0.2);
    assert!(
        (a.loss - b.loss).abs() < 1e-12,
        "in both, chosen rose by 2 and rejected fell by 1, but the losses are {} and {}",
        a.loss,
        b.loss
    );
}

#[test]
fn a_step_downhill_raises_chosen_and_lowers_rejected() {
    for policy in [pair(-9.0, -8.0), pair(-5.0, -20.0), pair(-20.0, -5.0)] {
        let got = dpo_loss(policy, pair(-10.0, -10.0), 0.3);
        assert!(got.d_chosen < 0.0, "d_chosen is {}: more probability for chosen must lower the loss", got.d_chosen);
        assert!(got.d_rejected > 0.0, "d_rejected is {}: it must push rejected down", got.d_rejected);
    }
}

#[test]
fn slopes_agree_with_central_differences() {
    let (policy, reference, beta, h) = (pair(-7.0, -6.5), pair(-8.0, -6.0), 0.7, 1e-5);
    let loss = |chosen: f64, rejected: f64| dpo_loss(pair(chosen, rejected), reference, beta).loss;
    let got = dpo_loss(policy, reference, beta);
    let by_chosen = (loss(policy.chosen + h, policy.rejected) - loss(policy.chosen - h, policy.rejected)) / (2.0 * h);
    let by_rejected = (loss(policy.chosen, policy.rejected + h) - loss(policy.chosen, policy.rejected - h)) / (2.0 * h);
    assert!((got.d_chosen - by_chosen).abs() < 1e-8, "d_chosen is {}, measured {by_chosen}", got.d_chosen);
    assert!((got.d_rejected - by_rejected).abs() < 1e-8, "d_rejected is {}, measured {by_rejected}", got.d_rejected);
}

#[test]
fn huge_margins_stay_finite() {
    let reference = pair(0.0, 0.0);
    let wrong = dpo_loss(pair(-1000.0, 0.0), reference, 1.0);
    assert!((wrong.loss - 1000.0).abs() < 1e-9, "the loss of a margin of -1000 is 1000, got {}", wrong.loss);
    assert!((wrong.d_chosen + 1.0).abs() < 1e-9, "d_chosen is -beta there, got {}", wrong.d_chosen);
    let right = dpo_loss(pair(0.0, -1000.0), reference, 1.0);
    assert!(right.loss.abs() < 1e-9, "the loss of a margin of 1000 is 0, got {}", right.loss);
    assert!(right.d_chosen.abs() < 1e-9, "a settled pair stops pulling, got {}", right.d_chosen);
}
