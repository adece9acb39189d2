//! Softmax over rows of scores that come in blocks (Milakov and Gimelshein 2018, arXiv 1805.02867), with a causal mask; and its gradient.
//!
//! For each row two numbers are carried from block to block: the largest score so far $m$ and $\ell = \sum_j e^{s_j - m}$ over all keys so far. A
//! block that raises $m$ to $m'$ makes every weight before it too large by $e^{m' - m}$:
//! $$\ell' = \ell\, e^{m - m'} + \sum_{j \in \text{block}} e^{s_j - m'}.$$
//! What was summed with those weights is multiplied by the same $e^{m - m'}$, and at the end by $1 / \ell$. From $L = m + \ln \ell$ the probabilities
//! can be had again without the blocks before: $p_j = e^{s_j - L}$.
//!
//! Each row sees a range of a block's keys, perhaps none of them. Weights of the others are zero.

use std::ops::Range;

use crate::isa::per_isa;
use crate::lanes::{LANES, exp, max, sum_lanes};
use crate::matrix::MatrixMut;

// ANCHOR: forward
/// The columns that a row sees, by its number.
pub type Visible<'a> = dyn Fn(usize) -> Range<usize> + 'a;

per_isa! {
    /// Replaces `scores` `(rows, n_keys)` by e^(s − m′), carries m and ℓ of each row on, `max_so_far` from −∞ and `sum_so_far` from 0, and writes
    /// e^(m − m′) to `factor`; all three `(rows)`.
    ///
    /// # Panics
    /// If the lengths do not fit.
    pub fn softmax_rows<A>(
        scores: &mut [f32],
        n_keys: usize,
        visible: &Visible<'_>,
        max_so_far: &mut [f32],
        sum_so_far: &mut [f32],
        factor: &mut [f32],
    ) {
        for (i, row) in scores.chunks_exact_mut(n_keys).enumerate() {
            let visible = visible(i);
            if visible.is_empty() {
                row.fill(0.0);
                factor[i] = 1.0;
                continue;
            }
            let lanes = whole_lanes(&visible, n_keys);
            // e^−∞ adds nothing to a sum of at least one.
            row[lanes.start..visible.start].fill(f32::NEG_INFINITY);
            row[visible.end..lanes.end].fill(f32::NEG_INFINITY);
            let new_max = max_so_far[i].max(max(&row[lanes.clone()]));
            let (blocks, rest) = row[lanes].as_chunks_mut::<LANES>();
            let mut sum = [0.0; LANES];
            for block in blocks {
                for lane in 0..LANES {
                    block[lane] = exp::<A>(block[lane] - new_max);
                    sum[lane] += block[lane];
                }
            }
            for (score, sum) in rest.iter_mut().zip(&mut sum) {
                *score = exp::<A>(*score - new_max);
                *sum += *score;
            }
            row[..visible.start].fill(0.0);
            row[visible.end..].fill(0.0);
            factor[i] = exp::<A>(max_so_far[i] - new_max);
            sum_so_far[i] = sum_so_far[i] * factor[i] + sum_lanes(sum);
            max_so_far[i] = new_max;
        }
    }
}

per_isa! {
    /// Multiplies each row by its factor.
    ///
    /// # Panics
    /// If there are fewer factors than rows.
    pub fn scale_rows<A>(rows: MatrixMut<'_>, factors: &[f32]) {
        let mut rows = rows;
        for (i, factor) in factors[..rows.n_rows()].iter().enumerate() {
            for x in rows.row_mut(i) {
                *x *= factor;
            }
        }
    }
}

/// `visible` in whole lanes, where there is room for them.
fn whole_lanes(visible: &Range<usize>, n_keys: usize) -> Range<usize> {
    visible.start / LANES * LANES..n_keys.min(visible.end.next_multiple_of(LANES))
}
// ANCHOR_END: forward

// ANCHOR: backward
per_isa! {
    /// Replaces `scores` by the probabilities p and `d_scores`, which holds the gradient dp of these, by that of the scores, p (dp − δ); both
    /// `(rows, n_keys)`. `log_sum_exp` is L of each row and `delta` is δ = Σ p dp over all keys of the row.
    ///
    /// # Panics
    /// If the lengths do not fit.
    pub fn softmax_rows_backward<A>(
        scores: &mut [f32],
        d_scores: &mut [f32],
        n_keys: usize,
        visible: &Visible<'_>,
        log_sum_exp: &[f32],
        delta: &[f32],
    ) {
        assert_eq!(scores.len(), d_scores.len());
        let rows = scores.chunks_exact_mut(n_keys).zip(d_scores.chunks_exact_mut(n_keys));
        for (i, (row, d_row)) in rows.enumerate() {
            let visible = visible(i);
            let lanes = whole_lanes(&visible, n_keys);
            let (log_sum_exp, delta) = (log_sum_exp[i], delta[i]);
            let gradient = |score: &mut f32, d_score: &mut f32| {
                *score = exp::<A>(*score - log_sum_exp);
                *d_score = *score * (*d_score - delta);
            };
            let (blocks, rest) = row[lanes.clone()].as_chunks_mut::<LANES>();
            let (d_blocks, d_rest) = d_row[lanes].as_chunks_mut::<LANES>();
            for (block, d_block) in blocks.iter_mut().zip(d_blocks) {
                for lane in 0..LANES {
                    gradient(&mut block[lane], &mut d_block[lane]);
                }
            }
            for (score, d_score) in rest.iter_mut().zip(d_rest) {
                gradient(score, d_score);
            }
            for row in [row, d_row] {
                row[..visible.start].fill(0.0);
                row[visible.end..].fill(0.0);
            }
        }
    }
}
// ANCHOR_END: backward

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;

    /// What row `i` of four sees of `n_keys`: up to the last but 3 − i, and no further back than `window`.
    fn seen(i: usize, n_keys: usize, window: usize) -> Range<usize> {
        let end = n_keys - 3 + i;
        end.saturating_sub(window)..end
    }

    /// Four rows in blocks of `size`. Where scores rise with the keys, the largest one moves to later blocks.
    fn check_blocks(isa: Isa, n_keys: usize, window: usize, size: usize, rise: f32) {
        let rows = 4;
        let score = |i: usize, j: usize| ((i * 37 + j * 53 + 7) % 97) as f32 / 8.0 + rise * j as f32;
        let (mut max, mut sum) = (vec![f32::NEG_INFINITY; rows], vec![0.0; rows]);
        let mut factor = vec![f32::NAN; rows];
        let mut weights = vec![Vec::<f32>::new(); rows];
        for start in (0..n_keys).step_by(size) {
            let end = n_keys.min(start + size);
            let width = end - start;
            let mut block: Vec<f32> = (0..rows).flat_map(|i| (start..end).map(move |j| score(i, j))).collect();
            let visible = |i: usize| {
                let seen = seen(i, n_keys, window);
                seen.start.clamp(start, end) - start..seen.end.clamp(start, end) - start
            };
            softmax_rows(isa, &mut block, width, &visible, &mut max, &mut sum, &mut factor);
            for i in 0..rows {
                weights[i].iter_mut().for_each(|w| *w *= factor[i]);
                weights[i].extend(&block[i * width..][..width]);
            }
        }
        // Scores are eighths, so their differences are exact. An exponential is exact to 2·10⁻⁷, and each block multiplies by one and rounds.
        let tolerance = 3e-7 * (n_keys.div_ceil(size) + 2) as f64;
        for i in 0..rows {
            let seen = seen(i, n_keys, window);
            let top = seen.clone().map(|j| score(i, j)).fold(f32::MIN, f32::max);
            assert_eq!(max[i], top);
            let truth: f64 = seen.clone().map(|j| f64::from(score(i, j) - top).exp()).sum();
            assert!((f64::from(sum[i]) / truth - 1.0).abs() < tolerance, "{isa} {n_keys} {window} {size}");
            for (j, w) in weights[i].iter().enumerate() {
                let truth = if seen.contains(&j) { f64::from(score(i, j) - top).exp() } else { 0.0 };
                let error = (f64::from(*w) - truth).abs();
                assert!(error <= tolerance * truth, "{isa} {n_keys} {window} {size} ({i}, {j}): {w}");
            }
        }
    }

    #[test]
    fn blocks_give_the_softmax_of_the_whole_row() {
        for &isa in Isa::available() {
            for n_keys in [4, 5, 17, 32, 50, 67] {
                for size in [1, 3, 16, 20, 100] {
                    for rise in [0.0, 0.5, -0.5] {
                        for window in [1, 2, 18, 100] {
                            check_blocks(isa, n_keys, window, size, rise);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn scores_far_apart_do_not_overflow() {
        for &isa in Isa::available() {
            let (mut max, mut sum, mut factor) = ([f32::NEG_INFINITY], [0.0], [f32::NAN]);
            for block in [[-3e4, -2e4], [-1e38, 5e4], [5e4, -3e38]] {
                let mut block = block;
                softmax_rows(isa, &mut block, 2, &|_| 0..2, &mut max, &mut sum, &mut factor);
                assert!(block.iter().all(|w| (0.0..=1.0).contains(w)));
            }
            // Two of the six scores are the largest, the others vanish.
            assert_eq!((max[0], sum[0]), (5e4, 2.0));
        }
    }

    #[test]
    fn gradient_of_every_width() {
        let (rows, log_sum_exp, delta) = (4, [4.0, 5.5, 3.9, 4.2], [0.1, -0.7, 0.3, 0.0]);
        for &isa in Isa::available() {
            for (n_keys, window) in [4, 5, 15, 16, 17, 40].into_iter().flat_map(|n| [1, 3, 17, 50].map(|w| (n, w))) {
                let mut scores: Vec<f32> = (0..rows * n_keys).map(|i| ((i * 37 + 11) % 101) as f32 / 25.0).collect();
                let mut d_scores: Vec<f32> =
                    (0..rows * n_keys).map(|i| ((i * 53 + 7) % 97) as f32 / 50.0 - 1.0).collect();
                let truth: Vec<(f64, f64)> = (scores.iter().zip(&d_scores).enumerate())
                    .map(|(at, (&s, &d))| {
                        let (i, j) = (at / n_keys, at % n_keys);
                        let is_seen = seen(i, n_keys, window).contains(&j);
                        let p = if is_seen { f64::from(s - log_sum_exp[i]).exp() } else { 0.0 };
                        (p, p * f64::from(d - delta[i]))
                    })
                    .collect();
                let visible = |i: usize| seen(i, n_keys, window);
                softmax_rows_backward(isa, &mut scores, &mut d_scores, n_keys, &visible, &log_sum_exp, &delta);
                for (at, (p, ds)) in truth.into_iter().enumerate() {
                    // Values up to 2, an exponential exact to 2·10⁻⁷ and a few roundings.
                    let error = (f64::from(scores[at]) - p).abs().max((f64::from(d_scores[at]) - ds).abs());
                    assert!(error < 2e-6, "{isa} {n_keys} {window} {at}");
                }
            }
        }
    }

    #[test]
    fn nan_stays() {
        for &isa in Isa::available() {
            for at in [0, 16] {
                let mut scores = [1.0; 17];
                scores[at] = f32::NAN;
                let (mut max, mut sum, mut factor) = ([0.5], [3.0], [0.0]);
                softmax_rows(isa, &mut scores, 17, &|_| 0..17, &mut max, &mut sum, &mut factor);
                assert!(sum[0].is_nan() && scores[at].is_nan());
            }
        }
    }
}
