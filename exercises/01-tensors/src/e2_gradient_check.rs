//! Exercise 01.2: check a gradient without calculus.
//!
//! A backward pass that is wrong still trains, only worse, and says nothing. The check: move one
//! input a little both ways and look at what the function does.
//!
//! ```text
//! g[i] = (f(x + h e_i) - f(x - h e_i)) / (2 h)
//! ```
//!
//! where `e_i` is 1 at place `i` and 0 elsewhere, and `h` is `step`. Write
//!
//! - [`numeric_gradient`], the formula above, for every `i`;
//! - [`gradient_error`], the largest over `i` of `|a[i] - n[i]| / max(1, |a[i]|, |n[i]|)`, where
//!   `a` is the gradient to be checked and `n` the numeric one. The divisor makes the error
//!   relative for large gradients, absolute for small ones. A NaN on either side is the worst
//!   gradient there is: the error is then `f64::INFINITY`.
//!
//! Shapes: `x`, `a`, `n` all `(n_inputs)`.
//!
//! Example: for `f(x) = x[0] * x[1]` at `[3, 5]` the gradient is `[5, 3]`; against it `[5, 6]` has
//! the error 3 / 6 = 0.5.
//!
//! Book: `book/src/01-tensors.md`.

/// Gradient of `f` at `x` by central differences, `(n_inputs)`.
pub fn numeric_gradient(f: impl Fn(&[f64]) -> f64, x: &[f64], step: f64) -> Vec<f64> {
    todo!("{step}: the step around {x:?}, where f is {}", f(x))
}

/// Largest difference between two gradients, relative where they are large; infinite if one of them
/// holds a NaN.
pub fn gradient_error(analytic: &[f64], numeric: &[f64]) -> f64 {
    todo!("compare {analytic:?} with {numeric:?}")
}
