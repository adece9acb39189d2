//! Exercise 08.1: one step of AdamW.
//!
//! AdamW keeps two running means for each parameter: `m` of the gradient, `v` of its square. Write
//! [`adamw_step`], for each parameter `p` with gradient `g`, at step `t` = 1, 2, 3, ...:
//!
//! ```text
//! m = beta1 m + (1 - beta1) g
//! v = beta2 v + (1 - beta2) g^2
//! m_hat = m / (1 - beta1^t)          both start at 0; this takes the bias towards 0 out
//! v_hat = v / (1 - beta2^t)
//! p = p - lr * weight_decay * p - lr * m_hat / (sqrt(v_hat) + eps)
//! ```
//!
//! On the right of the last line `p` is the value before the step. The decay is *decoupled*: it
//! acts on the parameter and does not enter `g`, `m` or `v` (that would be Adam with L2, which
//! decays a weight less the larger its gradients are).
//!
//! Shapes: `params`, `grads`, `moments.m`, `moments.v` all `(n_params)`. `moments.step` holds the
//! number of steps already done: 0 before the first call. Count it up.
//!
//! Example: with `weight_decay` 0 the first step moves each parameter by `lr`, against the sign of
//! its gradient, however large the gradient is.
//!
//! Book: `book/src/08-training.md`. Source: Loshchilov and Hutter, arXiv 1711.05101, algorithm 2.

/// Settings of the optimizer.
#[derive(Clone, Debug)]
pub struct AdamW {
    /// Learning rate of this step.
    pub lr: f64,
    /// Decay of the mean of the gradient.
    pub beta1: f64,
    /// Decay of the mean of the squared gradient.
    pub beta2: f64,
    /// Keeps the division finite.
    pub eps: f64,
    /// Share of the parameter taken away in a step, times `lr`.
    pub weight_decay: f64,
}

/// What the optimizer remembers between steps.
#[derive(Clone, Debug)]
pub struct Moments {
    /// Running mean of the gradient, `(n_params)`.
    pub m: Vec<f64>,
    /// Running mean of the squared gradient, `(n_params)`.
    pub v: Vec<f64>,
    /// Steps done so far.
    pub step: i32,
}

/// Moves `params` by one step and updates `moments`; all slices `(n_params)`.
pub fn adamw_step(params: &mut [f64], grads: &[f64], moments: &mut Moments, settings: &AdamW) {
    todo!("move {params:?} by {grads:?} with {moments:?} and {settings:?}")
}
