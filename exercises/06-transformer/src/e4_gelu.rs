//! Exercise 06.4: the GELU of GPT-2.
//!
//! GELU multiplies `x` by the probability that a standard normal number is below it. That needs the error
//! function; GPT-2 was trained with an approximation by tanh, which is a slightly different function. A
//! checkpoint must be run with the one that it was trained with: the two differ by up to 0.0005 a layer, and
//! Hugging Face's `config.json` calls them `gelu` (exact) and `gelu_new` (tanh). Write [`gelu_tanh`]:
//!
//! ```text
//! gelu(x) = x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))
//! ```
//!
//! and its derivative, [`gelu_tanh_slope`], which a backward pass needs. With `u` for what stands inside the
//! tanh, the slope of tanh is `1 - tanh(u)^2`.
//!
//! Example: `gelu_tanh(1)` is 0.841192; the exact GELU of 1 is 0.841345.
//!
//! Book: `book/src/06-transformer.md`. Source: Hendrycks and Gimpel, arXiv 1606.08415, section 2.

/// GELU by its approximation with tanh.
pub fn gelu_tanh(x: f64) -> f64 {
    todo!("the GELU of {x}")
}

/// The derivative of [`gelu_tanh`].
pub fn gelu_tanh_slope(x: f64) -> f64 {
    todo!("the slope of GELU at {x}")
}
