//! How good a score is: the area under the ROC curve, and whether the score means what it says.
//!
//! The AUC is the probability that a page of the positive set scores higher than one of the negative set, ties counting
//! half. With $R_+$ the sum of the positive pages' ranks among all scores, tied scores sharing their mean rank
//! (Mann and Whitney 1947; Hanley and McNeil 1982):
//!
//! $$\text{AUC} = \frac{R_+ - n_+ (n_+ + 1) / 2}{n_+ \, n_-}$$
//!
//! The AUC sees the order of the scores alone. That 0.8 means *four in five* is calibration: pages are put into bins by
//! score, and in each bin the mean score is held against the share of positive pages.

use std::fmt;

use serde::{Deserialize, Serialize};

// ANCHOR: auc
/// The area under the ROC curve; `None` unless there are pages of both kinds and all scores are numbers.
pub fn auc(scored: &[(f64, bool)]) -> Option<f64> {
    if scored.iter().any(|(score, _)| score.is_nan()) {
        return None;
    }
    let mut scored = scored.to_vec();
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    let n_positive = scored.iter().filter(|(_, positive)| *positive).count() as f64;
    let n_negative = scored.len() as f64 - n_positive;
    let (mut rank_sum, mut n_before) = (0.0, 0.0);
    for tied in scored.chunk_by(|a, b| a.0 == b.0) {
        let mean_rank = n_before + (tied.len() as f64 + 1.0) / 2.0;
        rank_sum += mean_rank * tied.iter().filter(|(_, positive)| *positive).count() as f64;
        n_before += tied.len() as f64;
    }
    let wins = rank_sum - n_positive * (n_positive + 1.0) / 2.0;
    (n_positive > 0.0 && n_negative > 0.0).then(|| wins / (n_positive * n_negative))
}
// ANCHOR_END: auc

/// The mean squared distance of the scores from the labels 0 and 1.
pub fn brier(scored: &[(f64, bool)]) -> f64 {
    let squares = scored.iter().map(|&(score, positive)| (score - f64::from(u8::from(positive))).powi(2));
    squares.sum::<f64>() / scored.len().max(1) as f64
}

/// Pages of about the same score.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// Pages in the bin.
    pub n: usize,
    /// Their mean score.
    pub mean_score: f64,
    /// The share of them that is positive.
    pub share_positive: f64,
}

/// The pages in `n_bins` bins of equal width of score, the lowest first; empty bins have no pages.
pub fn calibration(scored: &[(f64, bool)], n_bins: usize) -> Vec<CalibrationBin> {
    let mut bins = vec![CalibrationBin::default(); n_bins.max(1)];
    let last = bins.len() - 1;
    for &(score, positive) in scored {
        let bin = &mut bins[((score * n_bins as f64) as usize).min(last)];
        bin.n += 1;
        bin.mean_score += score;
        bin.share_positive += f64::from(u8::from(positive));
    }
    for bin in &mut bins {
        bin.mean_score /= bin.n.max(1) as f64;
        bin.share_positive /= bin.n.max(1) as f64;
    }
    bins
}

impl fmt::Display for CalibrationBin {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:>8} {:>8.3} {:>8.3}", self.n, self.mean_score, self.share_positive)
    }
}

/// The least score of the best `share` of the pages: a threshold for [`super::ClassifierConfig::min_score`].
pub fn score_of_top_share(scores: &[f64], share: f64) -> Option<f64> {
    let mut scores = scores.to_vec();
    scores.sort_by(|a, b| b.total_cmp(a));
    let n = (share.clamp(0.0, 1.0) * scores.len() as f64).round() as usize;
    scores.get(n.max(1) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition: all pairs, ties half.
    fn by_pairs(scored: &[(f64, bool)]) -> f64 {
        let of = |kind: bool| scored.iter().filter(move |(_, positive)| *positive == kind).map(|(score, _)| *score);
        let wins =
            of(true).flat_map(|p| of(false).map(move |n| if p > n { 1.0 } else { 0.5 * f64::from(u8::from(p == n)) }));
        wins.sum::<f64>() / (of(true).count() * of(false).count()) as f64
    }

    proptest! {
        #[test]
        fn ranks_give_what_pairs_give(scored in prop::collection::vec((0..8u8, any::<bool>()), 2..40)) {
            let scored: Vec<(f64, bool)> = scored.into_iter().map(|(score, positive)| (f64::from(score), positive)).collect();
            match auc(&scored) {
                Some(area) => prop_assert!((area - by_pairs(&scored)).abs() < 1e-12),
                None => prop_assert!(scored.iter().all(|(_, p)| *p) || scored.iter().all(|(_, p)| !*p)),
            }
        }
    }

    #[test]
    fn a_score_that_is_no_number_has_no_rank() {
        assert_eq!(auc(&[(f64::NAN, true), (0.5, false)]), None);
    }

    #[test]
    fn bins_hold_every_page_and_the_top_share_is_that_share() {
        let scored: Vec<(f64, bool)> = (0..=100).map(|i| (f64::from(i) / 100.0, i % 2 == 0)).collect();
        let bins = calibration(&scored, 10);
        assert_eq!(bins.iter().map(|bin| bin.n).collect::<Vec<_>>(), [10, 10, 10, 10, 10, 10, 10, 10, 10, 11]);
        assert!((bins[9].mean_score - 0.95).abs() < 1e-9);
        let scores: Vec<f64> = scored.iter().map(|(score, _)| *score).collect();
        let threshold = score_of_top_share(&scores, 0.2).unwrap();
        assert_eq!(scores.iter().filter(|score| **score >= threshold).count(), 20);
    }
}
