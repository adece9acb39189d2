//! Planted bug: divides by the number of logits, not by the sum.

/// Probabilities of `logits`, `(vocab_size)` to `(vocab_size)`.
pub fn softmax(logits: &[f32]) -> Vec<f32> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exps: Vec<f32> = logits.iter().map(|x| (x - max).exp()).collect();
    let n = logits.len() as f32;
    exps.iter().map(|e| e / n).collect()
}
