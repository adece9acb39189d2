//! Planted bug: the logarithm lacks the maximum.

/// What is known of a row so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Running {
    /// Largest score; minus infinity before the first.
    pub max: f64,
    /// Sum of the exponentials of all scores, each less `max`.
    pub sum: f64,
}

impl Running {
    /// Nothing yet.
    pub const EMPTY: Self = Self { max: f64::NEG_INFINITY, sum: 0.0 };

    /// Replaces the `scores` of a block by their weights; returns what earlier weights are multiplied by.
    pub fn push(&mut self, scores: &mut [f64]) -> f64 {
        let max = scores.iter().copied().fold(self.max, f64::max);
        if max == f64::NEG_INFINITY {
            scores.fill(0.0);
            return 1.0;
        }
        let factor = (self.max - max).exp();
        for score in scores.iter_mut() {
            *score = (*score - max).exp();
        }
        self.sum = self.sum * factor + scores.iter().sum::<f64>();
        self.max = max;
        factor
    }

    /// `ln` of the sum of `exp(s)` over all scores so far.
    pub fn log_sum_exp(&self) -> f64 {
        self.sum.ln()
    }
}
