//! What a training stage shows while it runs: a bar with loss, gradient norm, learning rate and speed.

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
            "loss {:.3}{val_loss} grad {:.2} lr {:.1e} {:.0} tok/s",
            metrics.loss, metrics.grad_norm, metrics.lr, metrics.tokens_per_s
        ));
    }

    /// Takes the bar away.
    pub fn finish(self) {
        self.bar.finish_and_clear();
    }
}
