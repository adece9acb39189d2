//! Exercise 01.1: a softmax that survives large logits.
//!
//! A model ends in `logits`, any real numbers. [`softmax`] turns them into probabilities:
//!
//! ```text
//! p[i] = exp(x[i]) / sum over j of exp(x[j])
//! ```
//!
//! In `f32`, `exp(89.0)` is already infinite and `exp(-104.0)` is already zero, so the formula as
//! it stands gives NaN when one logit is large or all are far below zero. Adding one constant to
//! every logit leaves the probabilities as they are. Use that.
//!
//! Shapes: `(vocab_size)` in, `(vocab_size)` out. Empty input gives empty output. A logit of
//! `f32::NEG_INFINITY` is how a mask says "never": its probability is exactly 0. At least one logit
//! is finite.
//!
//! Example: `softmax(&[1.0, 2.0, 3.0])` is about `[0.0900, 0.2447, 0.6652]`, and so is
//! `softmax(&[1001.0, 1002.0, 1003.0])`.
//!
//! Book: `book/src/01-tensors.md`.

/// Probabilities of `logits`, `(vocab_size)` to `(vocab_size)`.
pub fn softmax(logits: &[f32]) -> Vec<f32> {
    todo!("softmax of {} logits", logits.len())
}
