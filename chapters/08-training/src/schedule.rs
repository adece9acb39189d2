//! The learning rate over a run: linear warmup, then half a cosine down to a fraction of the peak
//! (Loshchilov and Hutter 2016, arXiv 1608.03983; the warmup as in Vaswani et al. 2017).
//!
//! Warmup exists because AdamW's second moment is an average over few gradients at first: its early steps are large and badly
//! directed. The cosine ends low because the last steps should settle, not explore.

use serde::{Deserialize, Serialize};

// ANCHOR: schedule
/// Learning rate by step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Highest learning rate, reached at the end of the warmup.
    pub peak_lr: f64,
    /// Steps of linear warmup.
    pub warmup_steps: usize,
    /// Last learning rate as a fraction of the peak.
    #[serde(default = "default_final_ratio")]
    pub final_ratio: f64,
}

impl Schedule {
    /// The learning rate of step `step`, counted from 0, in a run of `n_steps`.
    pub fn learning_rate(&self, step: usize, n_steps: usize) -> f64 {
        if step < self.warmup_steps {
            return self.peak_lr * (step + 1) as f64 / self.warmup_steps as f64;
        }
        let decay_steps = n_steps.saturating_sub(self.warmup_steps).max(2) - 1;
        let progress = ((step - self.warmup_steps) as f64 / decay_steps as f64).min(1.0);
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
        self.peak_lr * (self.final_ratio + (1.0 - self.final_ratio) * cosine)
    }
}
// ANCHOR_END: schedule

fn default_final_ratio() -> f64 {
    0.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_to_the_peak_and_ends_at_the_ratio() {
        let schedule = Schedule { peak_lr: 2.0, warmup_steps: 4, final_ratio: 0.1 };
        let rates: Vec<f64> = (0..14).map(|step| schedule.learning_rate(step, 14)).collect();
        assert_eq!(&rates[..5], [0.5, 1.0, 1.5, 2.0, 2.0]);
        assert!((rates[13] - 0.2).abs() < 1e-12);
        assert!(rates[4..].windows(2).all(|pair| pair[1] < pair[0]));
        assert!((schedule.learning_rate(99, 14) - 0.2).abs() < 1e-12, "stays at the end");
    }

    #[test]
    fn degenerate_lengths_are_finite() {
        for (warmup_steps, n_steps) in [(0, 1), (0, 2), (5, 5), (5, 3)] {
            let schedule = Schedule { peak_lr: 1.0, warmup_steps, final_ratio: 0.1 };
            assert!((0..n_steps).all(|step| (0.0..=1.0).contains(&schedule.learning_rate(step, n_steps))));
        }
    }
}
