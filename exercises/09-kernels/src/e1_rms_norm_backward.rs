//! Exercise 09.1: the gradient of RMSNorm, one pass a row.
//!
//! A fused operation needs a derivative by hand. Forward, for a row `x` of `d` numbers:
//!
//! ```text
//! r   = 1 / sqrt(mean(x^2) + eps)
//! y_j = x_j r w_j
//! ```
//!
//! Every `y_j` depends on every `x_i` through `r`. Write [`rms_norm_backward`], for the gradient
//! `g` of the loss with respect to `y`:
//!
//! ```text
//! dx_i =  r g_i w_i - (r^3 / d) x_i sum_j (g_j w_j x_j)     for each row by itself
//! dw_i += sum over rows of g_i x_i r                        added to what is there
//! ```
//!
//! `dx` is replaced: its numbers may be anything before, NaN too. `dw` is added to: the gradient of
//! a weight is a sum over micro-batches.
//!
//! Shapes: `x`, `g`, `dx` `(rows, d)` flat, `weight`, `dw` `(d)`, so `d` is `weight.len()`.
//!
//! Example: scaling `x` hardly changes `y`, so `dx` stands at right angles to `x`: the dot product
//! of a row of `dx` and the row of `x` is 0 (exactly so for `eps` 0).
//!
//! Book: `book/src/09-kernels.md`. Source: Zhang and Sennrich, arXiv 1910.07467.

/// Replaces `dx` by the gradient of `x` and adds the gradient of the weight to `dw`.
pub fn rms_norm_backward(x: &[f64], weight: &[f64], g: &[f64], eps: f64, dx: &mut [f64], dw: &mut [f64]) {
    todo!("{x:?} {weight:?} {g:?} {eps} {dx:?} {dw:?}")
}
