//! Exercise 09.2: softmax of a row that comes in blocks.
//!
//! Softmax needs the largest score of a row and a sum over all of it. Attention in blocks never has
//! all of it. Two numbers, carried along, are enough: the largest score so far `m` and
//! `l` = sum of `exp(s - m)` over the scores so far. A block with a larger score changes `m` to
//! `m'`, and everything that was weighted with `exp(s - m)` is too large by one factor:
//!
//! ```text
//! m'     = max(m, largest score of the block)
//! factor = exp(m - m')
//! weight = exp(s - m')                  for each score s of the block
//! l'     = l factor + sum of the block's weights
//! ```
//!
//! Write [`Running::push`], which replaces the scores of a block by their weights and returns the
//! factor, and [`Running::log_sum_exp`], `ln` of the sum of `exp(s)` over all scores so far.
//!
//! A masked score is minus infinity and gets weight 0. A block of nothing but masked scores must
//! leave `m` and `l` as they are: its factor is 1 and its weights are 0, also as the first block.
//! (Minus infinity less itself is NaN.) The factor of the first block that has a score is 0: there
//! is nothing yet that it could repair.
//!
//! Example: the scores `[1, 3]` and then `[2]` give the weights `[exp(-2), 1]`, factor 0, then
//! `[exp(-1)]`, factor 1; then `m` is 3 and `l` is `1 + exp(-2) + exp(-1)`.
//!
//! Book: `book/src/09-kernels.md`. Source: Milakov and Gimelshein, arXiv 1805.02867, section 3.

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
        todo!("go from {self:?} over {scores:?}")
    }

    /// `ln` of the sum of `exp(s)` over all scores so far.
    pub fn log_sum_exp(&self) -> f64 {
        todo!("of {self:?}")
    }
}
