//! The tokens that may be drawn, and their probabilities.
//!
//! Temperature $T$ makes $p_i \propto e^{z_i / T}$: below 1 it sharpens the distribution, above 1 it flattens it. Then three cuts of the long
//! tail of tokens that are each unlikely and together are not:
//!
//! - top-k keeps the k most likely tokens (Fan et al. 2018, arXiv 1805.04833, section 5.1);
//! - top-p keeps the smallest set of most likely tokens whose probabilities reach p (Holtzman et al. 2020, arXiv 1904.09751, section 3.1);
//! - min-p keeps the tokens with $p_i \ge p_{min} \cdot \max_j p_j$ (Nguyen et al. 2024, arXiv 2407.01082, section 3).
//!
//! This is the order of transformers, and it counts: temperature changes what every cut but top-k keeps, and top-p measures its share of
//! what top-k left. (min-p compares two probabilities, so that what was left before does not change its verdict on a token.)

use crate::Cuts;

// ANCHOR: candidates
/// The tokens that may be drawn with their probabilities, which sum to one, most likely first.
pub fn candidates(logits: &[f32], temperature: f64, cuts: Cuts) -> Vec<(u32, f64)> {
    let max = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let weights = logits.iter().map(|&logit| ((f64::from(logit) - max) / temperature).exp());
    let mut tokens: Vec<(u32, f64)> = (0..).zip(weights).collect();
    // A token of weight 0, as a logit of −∞ has, cannot be drawn.
    tokens.retain(|(_, weight)| *weight > 0.0);
    keep_top_k(&mut tokens, cuts.top_k.unwrap_or(usize::MAX));
    if cuts.top_p < 1.0 {
        keep_top_p(&mut tokens, cuts.top_p);
    }
    // Weights are relative to the most likely token, which has 1.
    tokens.retain(|(_, weight)| *weight >= cuts.min_p);
    tokens.sort_unstable_by(most_likely_first);
    let total = sum(&tokens);
    tokens.iter_mut().for_each(|(_, weight)| *weight /= total);
    tokens
}

/// Ties keep the order of the ids, so that the result does not depend on the sort.
fn most_likely_first(a: &(u32, f64), b: &(u32, f64)) -> std::cmp::Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

fn keep_top_k(tokens: &mut Vec<(u32, f64)>, top_k: usize) {
    if top_k < tokens.len() {
        // Finding the k best takes one pass; sorting a vocabulary to throw most of it away takes fifteen.
        tokens.select_nth_unstable_by(top_k, most_likely_first);
        tokens.truncate(top_k);
    }
}

/// The token that crosses the line stays. A few tokens mostly reach it, so they are found and sorted in blocks that grow.
fn keep_top_p(tokens: &mut Vec<(u32, f64)>, top_p: f64) {
    const FIRST_BLOCK: usize = 64;
    let total = sum(tokens);
    let (mut reached, mut n_sorted) = (0.0, 0);
    while n_sorted < tokens.len() {
        let rest = &mut tokens[n_sorted..];
        let n_block = rest.len().min(FIRST_BLOCK + 3 * n_sorted);
        if n_block < rest.len() {
            rest.select_nth_unstable_by(n_block, most_likely_first);
        }
        rest[..n_block].sort_unstable_by(most_likely_first);
        let crosses = rest[..n_block].iter().position(|(_, weight)| {
            reached += weight / total;
            reached >= top_p
        });
        if let Some(last) = crosses {
            tokens.truncate(n_sorted + last + 1);
            return;
        }
        n_sorted += n_block;
    }
}

fn sum(tokens: &[(u32, f64)]) -> f64 {
    tokens.iter().map(|(_, weight)| weight).sum()
}
// ANCHOR_END: candidates

#[cfg(test)]
mod tests {
    use super::*;

    /// ln of the probabilities 0.5, 0.25, 0.125, 0.125.
    fn logits() -> Vec<f32> {
        [0.5f32, 0.25, 0.125, 0.125].iter().map(|p| p.ln()).collect()
    }

    fn kept(cuts: Cuts) -> Vec<u32> {
        candidates(&logits(), 1.0, cuts).iter().map(|c| c.0).collect()
    }

    #[test]
    fn temperature_raises_probabilities_to_a_power() {
        let found = candidates(&logits(), 0.5, Cuts::NONE);
        let squares = [0.25, 0.0625, 0.015625, 0.015625];
        let total: f64 = squares.iter().sum();
        for ((_, p), square) in found.iter().zip(squares) {
            assert!((p - square / total).abs() < 1e-6);
        }
    }

    #[test]
    fn cuts_keep_the_most_likely() {
        let top = |top_k, top_p| kept(Cuts { top_k, top_p, ..Cuts::NONE });
        assert_eq!(top(Some(1), 1.0), [0]);
        assert_eq!(top(Some(3), 1.0), [0, 1, 2]);
        assert_eq!(top(Some(4), 1.0), [0, 1, 2, 3]);
        assert_eq!(top(Some(9), 1.0), [0, 1, 2, 3]);
        assert_eq!(top(None, 0.4), [0]);
        assert_eq!(top(None, 0.6), [0, 1]);
        assert_eq!(top(None, 0.8), [0, 1, 2]);
        // Top-p applies to what top-k left: 0.5 of 0.75 is above 0.6.
        assert_eq!(top(Some(2), 0.6), [0]);
    }

    #[test]
    fn min_p_is_a_share_of_the_largest() {
        let min = |min_p| kept(Cuts { min_p, ..Cuts::NONE });
        assert_eq!(min(0.0), [0, 1, 2, 3]);
        assert_eq!(min(0.24), [0, 1, 2, 3]);
        assert_eq!(min(0.26), [0, 1]);
        assert_eq!(min(0.49), [0, 1]);
        assert_eq!(min(1.0), [0]);
        // Top-p first: of 0.5, 0.25 and 0.125 it keeps two, of 0.5 and 0.25 alone it would keep one.
        assert_eq!(kept(Cuts { top_k: None, top_p: 0.6, min_p: 0.3 }), [0, 1]);
    }

    #[test]
    fn what_is_left_sums_to_one() {
        for cuts in [
            Cuts { top_k: Some(3), ..Cuts::NONE },
            Cuts { top_p: 0.6, ..Cuts::NONE },
            Cuts { min_p: 0.3, ..Cuts::NONE },
        ] {
            let total: f64 = candidates(&logits(), 0.7, cuts).iter().map(|(_, p)| p).sum();
            assert!((total - 1.0).abs() < 1e-12, "{cuts:?}: {total}");
        }
    }
}
