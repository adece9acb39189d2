//! What a training stage shows while it runs: a bar with loss, gradient norm, learning rate and speed, in tokens and, where they are counted, in FLOP/s.

use indicatif::ProgressBar;
use training::Metrics;

use crate::progress;

/// A bar that follows a training run.
#[derive(Debug)]
pub struct Watch {
    bar: ProgressBar,
    val_loss: Option<f64>,
}

impl Watch {
    /// A bar for a run of `steps`.
    pub fn new(label: &str, steps: usize) -> Self {
        Self { bar: progress::bar(label, steps as u64), val_loss: None }
    }

    /// Shows a step.
    pub fn step(&mut self, metrics: &Metrics) {
        self.val_loss = metrics.extras.get("val_loss").copied().or(self.val_loss);
        let val_loss = self.val_loss.map_or(String::new(), |loss| format!(" val {loss:.3}"));
        self.bar.set_position(metrics.step as u64);
        self.bar.set_message(format!(
            "loss {:.3}{val_loss} grad {:.2} lr {:.1e} {}",
            metrics.loss,
            metrics.grad_norm,
            metrics.lr,
            speed(metrics)
        ));
    }

    /// Takes the bar away.
    pub fn finish(self) {
        self.bar.finish_and_clear();
    }
}

/// Tokens a second, and how much arithmetic that is: in FLOP/s, and as a share of the peak if that is known.
fn speed(metrics: &Metrics) -> String {
    let tokens = format!("{:.0} tok/s", metrics.tokens_per_s);
    let arithmetic = metrics.flops_per_s.map_or(String::new(), |flops_per_s| match flops_per_s {
        1e12.. => format!(" {:.1} TFLOP/s", flops_per_s / 1e12),
        _ => format!(" {:.1} GFLOP/s", flops_per_s / 1e9),
    });
    let share = metrics.mfu.map_or(String::new(), |mfu| format!(" MFU {:.1}%", 100.0 * mfu));
    tokens + &arithmetic + &share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_is_said_as_far_as_it_is_known() {
        let step = |flops_per_s, mfu| Metrics {
            step: 1,
            loss: 1.0,
            grad_norm: 1.0,
            lr: 1.0,
            n_tokens: 1,
            elapsed_s: 1.0,
            tokens_per_s: 3_700.0,
            flops_per_s,
            mfu,
            extras: Default::default(),
        };
        assert_eq!(speed(&step(None, None)), "3700 tok/s");
        assert_eq!(speed(&step(Some(2.34e10), None)), "3700 tok/s 23.4 GFLOP/s");
        assert_eq!(speed(&step(Some(4.124e14), Some(0.4168))), "3700 tok/s 412.4 TFLOP/s MFU 41.7%");
    }
}
