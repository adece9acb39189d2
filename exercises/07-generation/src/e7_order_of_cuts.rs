//! Exercise 07.7: the order of temperature, top-k and min-p.
//!
//! The same settings mean different things in another order. Those of transformers are: temperature, then top-k,
//! then min-p, each on what the one before left. Write [`distribution`]:
//!
//! - *temperature*: `p[i]` proportional to `e^(z[i] / temperature)`;
//! - *top-k*: all but the `top_k` most likely tokens get 0; of equals the smaller id stays;
//! - *min-p*: all below `min_p` times the largest probability get 0. One that is exactly that stays.
//!
//! The result has a probability for each token, in the order of the ids, and sums to 1. A `top_k` that is larger than
//! the vocabulary keeps all. `temperature` is above 0, `top_k` at least 1, `min_p` from 0 to 1; anything else (NaN
//! too) is an error that names the value. Logits may be as large as 800: subtract the largest before `exp`.
//!
//! Example: logits `0, ln 2, ln 4`, temperature 0.5, top_k 2, min_p 0.5: the temperature squares 1, 2, 4 to 1, 4, 16;
//! top-k leaves 4 and 16; min-p asks for at least 8 and leaves 16: `[0, 0, 1]`. At temperature 1 it would be
//! `[0, 1/3, 2/3]`.
//!
//! Book: `book/src/07-generation.md`. Sources: Fan et al., arXiv 1805.04833, section 5.1; Nguyen et al., arXiv
//! 2407.01082, section 3.

/// The probability of each token after temperature, top-k and min-p.
///
/// # Errors
/// When a setting cannot be.
pub fn distribution(logits: &[f32], temperature: f64, top_k: usize, min_p: f64) -> Result<Vec<f64>, String> {
    todo!("{logits:?} at temperature {temperature}, top_k {top_k}, min_p {min_p}")
}
