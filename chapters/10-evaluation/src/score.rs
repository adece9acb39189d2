//! A share of right answers, with the interval in which the true share lies.
//!
//! $k$ right of $n$ is an estimate. Wilson's interval (Wilson 1927, doi 10.1080/01621459.1927.10502953) holds the true share in about 95% of all repetitions,
//! $$\frac{\hat p + \frac{z^2}{2n} \pm z \sqrt{\frac{\hat p (1 - \hat p)}{n} + \frac{z^2}{4 n^2}}}{1 + \frac{z^2}{n}}, \qquad
//!   \hat p = \frac{k}{n}, \quad z = 1.96,$$
//! and unlike the textbook $\hat p \pm z\sqrt{\hat p(1-\hat p)/n}$ it stays sensible at 0 and at 1.

use std::fmt;

use serde::{Deserialize, Serialize};

/// `n_right` of `n_total`.
// ANCHOR: score
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// How many were right.
    pub n_right: usize,
    /// How many there were.
    pub n_total: usize,
}

impl Score {
    /// Counts.
    pub fn count(answers: impl IntoIterator<Item = bool>) -> Self {
        let (mut n_right, mut n_total) = (0, 0);
        for right in answers {
            n_right += usize::from(right);
            n_total += 1;
        }
        Self { n_right, n_total }
    }

    /// The share from 0 to 1; 0 of nothing is 0.
    pub fn share(&self) -> f64 {
        if self.n_total == 0 { 0.0 } else { self.n_right as f64 / self.n_total as f64 }
    }

    /// Wilson's 95% interval.
    pub fn interval(&self) -> (f64, f64) {
        const Z: f64 = 1.959_964;
        if self.n_total == 0 {
            return (0.0, 1.0);
        }
        let (p, n) = (self.share(), self.n_total as f64);
        let centre = p + Z * Z / (2.0 * n);
        let radius = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + Z * Z / n;
        (((centre - radius) / scale).max(0.0), ((centre + radius) / scale).min(1.0))
    }
}
// ANCHOR_END: score

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (low, high) = self.interval();
        let percent = |share: f64| 100.0 * share;
        write!(
            f,
            "{:.1}% ({} of {}; 95% interval {:.0} to {:.0}%)",
            percent(self.share()),
            self.n_right,
            self.n_total,
            percent(low),
            percent(high)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_equals_published_values() {
        // From SciPy 1.17: scipy.stats.binomtest(k, n).proportion_ci(method="wilson").
        for ((n_right, n_total), (low, high)) in
            [((8, 10), (0.490_162, 0.943_318)), ((0, 20), (0.0, 0.161_125)), ((50, 100), (0.403_832, 0.596_168))]
        {
            let found = Score { n_right, n_total }.interval();
            assert!((found.0 - low).abs() < 1e-6 && (found.1 - high).abs() < 1e-6, "{n_right}/{n_total}: {found:?}");
        }
        assert_eq!(Score { n_right: 0, n_total: 0 }.interval(), (0.0, 1.0));
    }

    #[test]
    fn counts_and_prints() {
        let score = Score::count([true, false, true, true]);
        assert_eq!(score, Score { n_right: 3, n_total: 4 });
        assert_eq!(score.to_string(), "75.0% (3 of 4; 95% interval 30 to 95%)");
    }
}
