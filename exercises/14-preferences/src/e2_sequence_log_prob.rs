//! Exercise 14.2: how likely does the model find this answer?
//!
//! DPO needs the log-probability of a whole answer: the sum over its tokens. The sequence holds
//! prompt and answer together, and a mask says which tokens belong to the answer. Write
//! [`sequence_log_prob`]:
//!
//! ```text
//! sum over t with mask[t] of ln softmax(logits[t - 1])[tokens[t]]
//! ```
//!
//! The logits at place `t - 1` predict the token at place `t`: the model answers "what comes next?"
//! after reading up to `t - 1`. The first token is predicted by nothing, so it never counts,
//! whatever its mask; the last row of logits predicts a token that is not there.
//!
//! Sum, do not average: the DPO objective is about whole answers. Take `ln softmax` without
//! overflow, as in exercise 01.1: `ln softmax(x)[i] = x[i] - m - ln(sum over j of exp(x[j] - m))`.
//!
//! Shapes: `logits` `(seq_len)` rows of `(vocab_size)`, `tokens` and `mask` `(seq_len)`.
//!
//! Example: with two equal logits everywhere each token of the answer adds `ln(1/2)`, so an answer
//! of 3 tokens has -2.0794.
//!
//! Book: `book/src/14-preferences.md`. Source: Rafailov et al., arXiv 2305.18290, section 4.

/// Log-probability (natural logarithm) of the tokens where `mask` is true, each given all before
/// it.
pub fn sequence_log_prob(logits: &[Vec<f64>], tokens: &[usize], mask: &[bool]) -> f64 {
    todo!("log-probability of {tokens:?} where {mask:?}, from {} rows of logits", logits.len())
}
