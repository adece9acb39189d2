//! Exercise 07.6: how likely was that?
//!
//! A model that answers can also say how sure it was: the log-probability of each token, and of the tokens that it
//! would have said instead. Write [`log_probs`]. With logits `z`
//!
//! ```text
//! log p[i] = z[i] - log(sum over j of e^(z[j]))
//! ```
//!
//! in natural logarithms. Logits may be as large as a few hundred, where `e^z` overflows: subtract the largest
//! logit first, which changes nothing. A logit of minus infinity is a token that cannot come. The sum runs over all
//! tokens, not over those that are reported. Compute in f64.
//!
//! `log_probs(logits, token, n_top)` returns the log-probability of `token` and the `n_top` most likely tokens with
//! theirs, most likely first, of equals the smaller id first. Fewer than `n_top` tokens are all of them.
//!
//! Example: logits `ln 0.2, ln 0.5, ln 0.3`, token 0, `n_top` 2: `ln 0.2`, and `(1, ln 0.5), (2, ln 0.3)`.
//!
//! Book: `book/src/07-generation.md`. Source: OpenAI, API reference, `logprobs` and `top_logprobs` of chat completions.

/// Log-probability of `token`, and the `n_top` most likely tokens with theirs.
pub fn log_probs(logits: &[f32], token: u32, n_top: usize) -> (f64, Vec<(u32, f64)>) {
    todo!("log-probability of {token} in {logits:?}, and of the {n_top} most likely")
}
