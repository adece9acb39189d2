//! Exercise 14.1: the DPO loss and its slope.
//!
//! For one prompt people preferred the answer `chosen` to the answer `rejected`. The model in
//! training (the policy) and a frozen copy from before (the reference) give each answer a
//! log-probability. Direct preference optimization rewards an answer for having become more likely
//! than it was, and asks for a larger reward of the chosen one. Write [`dpo_loss`]:
//!
//! ```text
//! reward_chosen   = beta * (policy.chosen   - reference.chosen)
//! reward_rejected = beta * (policy.rejected - reference.rejected)
//! loss = -ln sigmoid(reward_chosen - reward_rejected)          sigmoid(z) = 1 / (1 + exp(-z))
//! ```
//!
//! and its derivatives by `policy.chosen` and `policy.rejected`. Which sign has each, and when are
//! they large?
//!
//! Log-probabilities of long answers lie far below zero, and so can the difference of two rewards:
//! `ln(sigmoid(-1000.0))` taken literally is `ln(0)`, though the loss there is 1000. Use the equal
//!
//! ```text
//! -ln sigmoid(z) = max(-z, 0) + ln(1 + exp(-|z|))
//! ```
//!
//! Example: a policy that equals its reference has the loss ln 2 = 0.6931 and, at beta 0.1, the
//! slopes -0.05 and 0.05.
//!
//! Book: `book/src/14-preferences.md`. Source: Rafailov et al., arXiv 2305.18290, equation 7 and
//! the gradient below it.

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
    todo!("loss of {policy:?} against {reference:?} at beta {beta}")
}
