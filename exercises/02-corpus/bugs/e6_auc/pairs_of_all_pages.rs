//! Planted bug: the wins are divided by half the square of all pages.

/// The area under the ROC curve.
pub fn auc(scored: &[(f64, bool)]) -> Option<f64> {
    let mut sorted = scored.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let n_positive = sorted.iter().filter(|(_, positive)| *positive).count() as f64;
    let n_negative = sorted.len() as f64 - n_positive;
    if n_positive == 0.0 || n_negative == 0.0 || sorted.iter().any(|(score, _)| score.is_nan()) {
        return None;
    }
    let (mut rank_sum, mut n_before) = (0.0, 0.0);
    for group in sorted.chunk_by(|a, b| a.0 == b.0) {
        let mean_rank = n_before + (group.len() as f64 + 1.0) / 2.0;
        rank_sum += mean_rank * group.iter().filter(|(_, positive)| *positive).count() as f64;
        n_before += group.len() as f64;
    }
    Some((rank_sum - n_positive * (n_positive + 1.0) / 2.0) / (sorted.len() as f64 * sorted.len() as f64 / 4.0))
}
