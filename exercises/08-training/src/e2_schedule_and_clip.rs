//! Exercise 08.2: the learning rate over a run, and a limit to the gradient.
//!
//! Early gradients are wild, so the learning rate rises from small; late steps should settle, so it
//! falls again. Write [`learning_rate`] for `step` = 0, 1, 2, ...:
//!
//! ```text
//! step < warmup_steps:  peak * (step + 1) / warmup_steps
//! afterwards:           floor + (peak - floor) * (1 + cos(pi * progress)) / 2
//!                       progress = (step - warmup_steps) / (total_steps - warmup_steps), at most 1
//! ```
//!
//! The first step is not 0 (it would be wasted), the peak is reached in the last step of the
//! warm-up, and after `total_steps` the rate stays at `floor`. `warmup_steps` is less than
//! `total_steps` and may be 0.
//!
//! One bad batch can still throw the weights far away. Write [`clip_global_norm`]: the norm of all
//! gradients **together** is
//!
//! ```text
//! norm = sqrt(sum of squares over all tensors)
//! ```
//!
//! If it exceeds `max_norm`, multiply every gradient by `max_norm / norm`, which keeps the
//! direction of the step; otherwise leave them alone. Return the norm from before, which is what a
//! training log shows.
//!
//! Shapes: `grads` is a list of tensors, each flat; their lengths differ.
//!
//! Example: `[[3], [4]]` has the norm 5; clipped at 1 it becomes `[[0.6], [0.8]]`.
//!
//! Book: `book/src/08-training.md`. Sources: Loshchilov and Hutter, arXiv 1608.03983, section 3;
//! Pascanu et al., arXiv 1211.5063, section 3.2.

/// When the learning rate rises and falls, and how far.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Steps of linear rise.
    pub warmup_steps: usize,
    /// Steps until the floor is reached.
    pub total_steps: usize,
    /// Largest learning rate.
    pub peak: f64,
    /// Learning rate at the end.
    pub floor: f64,
}

/// Learning rate of `step`, which counts from 0.
pub fn learning_rate(step: usize, schedule: &Schedule) -> f64 {
    todo!("the rate of step {step} of {schedule:?}")
}

/// Scales `grads` down to a joint norm of `max_norm` if it is larger; returns the norm from before.
pub fn clip_global_norm(grads: &mut [Vec<f64>], max_norm: f64) -> f64 {
    todo!("clip {} tensors at {max_norm}", grads.len())
}
