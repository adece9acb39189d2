//! Solution 14.1: DPO in five lines.
//!
//! The slope is `beta * sigmoid(-z)`: the share of preference that the policy still gives the wrong
//! answer. Pairs that are already well separated stop pulling, which is how DPO knows when to leave
//! a pair alone.

/// Log-probabilities (natural logarithm) that one model gives the two answers.
#[derive(Clone, Copy, Debug)]
pub struct LogProbs {
    /// Of the answer that people preferred.
    pub chosen: f64,
    /// Of the other answer.
    pub rejected: f64,
}

/// Loss of one pair and its slopes.
#[derive(Clone, Copy, Debug)]
pub struct DpoLoss {
    /// In nats, never negative.
    pub loss: f64,
    /// Derivative of the loss by `policy.chosen`.
    pub d_chosen: f64,
    /// Derivative of the loss by `policy.rejected`.
    pub d_rejected: f64,
}

/// DPO loss of one pair of answers, with its derivatives by the policy's log-probabilities.
pub fn dpo_loss(policy: LogProbs, reference: LogProbs, beta: f64) -> DpoLoss {
    let reward_chosen = beta * (policy.chosen - reference.chosen);
    let reward_rejected = beta * (policy.rejected - reference.rejected);
    let margin = reward_chosen - reward_rejected;
    let loss = (-margin).max(0.0) + (-margin.abs()).exp().ln_1p();
    // exp overflows to infinity for a very large margin, and 1 / infinity is the right answer, 0.
    let slope = beta / (1.0 + margin.exp());
    DpoLoss { loss, d_chosen: -slope, d_rejected: slope }
}
