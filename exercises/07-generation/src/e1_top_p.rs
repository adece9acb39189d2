//! Exercise 07.1: the nucleus.
//!
//! Sampling from the whole distribution draws an absurd token now and then: each is nearly impossible, and
//! there are tens of thousands of them. Top-p keeps the smallest set of most likely tokens whose
//! probabilities reach `p`, and makes their sum 1 again. Write [`top_p`].
//!
//! - The token that crosses the line stays: the set *reaches* `p`. So at least one token always stays.
//! - Of two equally likely tokens the one with the smaller id comes first.
//!
//! `probabilities` sum to 1 and come in the order of the token ids, and so does the result; what is cut off
//! has probability 0 in it. `p` is above 0 and at most 1; anything else (NaN too) is an error that names it.
//!
//! Example: `[0.125, 0.5, 0.125, 0.25]` with p = 0.6 becomes `[0, 2/3, 0, 1/3]`.
//!
//! Book: `book/src/07-generation.md`. Source: Holtzman et al., arXiv 1904.09751, section 3.1.

/// `probabilities` without those outside the nucleus of `p`, summing to 1 again.
///
/// # Errors
/// When `p` is not above 0 and at most 1.
pub fn top_p(probabilities: &[f64], p: f64) -> Result<Vec<f64>, String> {
    todo!("the nucleus of {p} of {probabilities:?}")
}
