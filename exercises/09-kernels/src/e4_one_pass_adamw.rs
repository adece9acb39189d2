//! Exercise 09.4: AdamW over all parameters, in one pass.
//!
//! Written as tensor operations, a step of AdamW reads and writes each parameter a dozen times. All
//! it does to a number can be done at once. Write [`step`], which first takes the norm of the mean
//! gradient over *all* parameters (one pass: nothing can be scaled before it is known), and then
//! moves every number (one pass):
//!
//! ```text
//! norm  = sqrt(sum over all parameters of (gradient / n_targets)^2)
//! scale = min(1, max_norm / norm) / n_targets
//! g     = gradient * scale
//! m     = beta1 m + (1 - beta1) g
//! v     = beta2 v + (1 - beta2) g^2
//! w     = w (1 - lr decay) - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
//! ```
//!
//! `gradient` holds sums over `n_targets` targets and is not changed. `decay` is a parameter's own:
//! 0 for the gain of a norm. `t` counts from 1. Return the norm from before clipping. A norm of 0 is
//! not clipped (and not divided by).
//!
//! Shapes: within one parameter all slices have the same length; lengths differ between parameters.
//!
//! Example: two parameters of one number each, with the gradients 3 and 4 and `n_targets` 1, have
//! the norm 5. With `max_norm` 1 both gradients are divided by 5.
//!
//! Book: `book/src/09-kernels.md`. Source: Loshchilov and Hutter, arXiv 1711.05101, algorithm 2.

/// Settings of all steps.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the mean of the gradient.
    pub beta1: f64,
    /// Decay of the mean of the squared gradient.
    pub beta2: f64,
    /// Keeps the division finite.
    pub eps: f64,
    /// Largest norm of the mean gradient.
    pub max_norm: f64,
}

/// A parameter in training.
#[derive(Debug)]
pub struct Parameter<'a> {
    /// What a step moves.
    pub weight: &'a mut [f64],
    /// Sum of the gradients of all targets.
    pub gradient: &'a [f64],
    /// Running mean of the gradient.
    pub first: &'a mut [f64],
    /// Running mean of the squared gradient.
    pub second: &'a mut [f64],
    /// Weight decay.
    pub decay: f64,
}

/// Moves all parameters by step number `t`; returns the norm of the mean gradient.
pub fn step(parameters: &mut [Parameter], settings: &Settings, t: i32, n_targets: usize) -> f64 {
    todo!("step {t} of {parameters:?} with {settings:?} over {n_targets} targets")
}
