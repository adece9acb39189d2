//! Planted bug: the progress has no limit.

use std::f64::consts::PI;

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
    let s = schedule;
    if step < s.warmup_steps {
        return s.peak * (step + 1) as f64 / s.warmup_steps as f64;
    }
    let decay_steps = s.total_steps - s.warmup_steps;
    let progress = ((step - s.warmup_steps) as f64 / decay_steps as f64);
    s.floor + (s.peak - s.floor) * (1.0 + (PI * progress).cos()) / 2.0
}

/// Scales `grads` down to a joint norm of `max_norm` if it is larger; returns the norm from before.
pub fn clip_global_norm(grads: &mut [Vec<f64>], max_norm: f64) -> f64 {
    let sum_of_squares: f64 = grads.iter().flatten().map(|g| g * g).sum();
    let norm = sum_of_squares.sqrt();
    if norm > max_norm {
        for g in grads.iter_mut().flatten() {
            *g *= max_norm / norm;
        }
    }
    norm
}
