//! Exercise 02.6: the area under the ROC curve, by ranks.
//!
//! A classifier gives every page a score. The AUC is the probability that a page of the positive
//! set scores higher than one of the negative set, a tie counting half. Comparing all pairs of a
//! million pages is out of the question; ranks give the same number. Write [`auc`]:
//!
//! - sort all scores and give them the ranks 1, 2, 3 ... from the lowest;
//! - pages with equal scores share the mean of their ranks: scores 0.1, 0.5, 0.5, 0.9 have the ranks
//!   1, 2.5, 2.5, 4;
//! - with `R` the sum of the ranks of the positive pages, and `p` and `n` the numbers of positive
//!   and negative pages,
//!
//! $$\text{AUC} = \frac{R - p (p + 1) / 2}{p \, n}$$
//!
//! - `None` if there is no positive or no negative page, or if a score is not a number.
//!
//! The input is a list of score and *is it positive?*. Its order must not matter.
//!
//! Example: of the scores 0.9 (positive), 0.4 (positive) and 0.4 (negative), the positive ones have the
//! ranks 3 and 1.5, so R = 4.5 and the AUC is (4.5 - 3) / 2 = 0.75.
//!
//! Book: `book/src/02-corpus.md`, page `02-filters.md`. Source: Hanley and McNeil, *The Meaning and Use of the Area under
//! a Receiver Operating Characteristic (ROC) Curve*, 1982.

/// The area under the ROC curve.
pub fn auc(scored: &[(f64, bool)]) -> Option<f64> {
    todo!("rank {} pages by their scores", scored.len())
}
