//! Solution 01.1: softmax with the largest logit moved to zero.
//!
//! `exp(x[i] - m) / sum of exp(x[j] - m)` has the common factor `exp(-m)` above and below, so it is
//! the same number. With `m` the largest logit, every exponential is at most 1 and the sum at least
//! 1: no overflow, no division by zero.

/// Probabilities of `logits`, `(vocab_size)` to `(vocab_size)`.
pub fn softmax(logits: &[f32]) -> Vec<f32> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exps: Vec<f32> = logits.iter().map(|x| (x - max).exp()).collect();
    let sum: f32 = exps.iter().sum();
    exps.iter().map(|e| e / sum).collect()
}
