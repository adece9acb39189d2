//! Planted bug: the maximum is never below 0; very negative logits all vanish.

/// Probabilities of `logits`, `(vocab_size)` to `(vocab_size)`.
pub fn softmax(logits: &[f32]) -> Vec<f32> {
    let max = logits.iter().copied().fold(0.0, f32::max);
    let exps: Vec<f32> = logits.iter().map(|x| (x - max).exp()).collect();
    let sum: f32 = exps.iter().sum();
    exps.iter().map(|e| e / sum).collect()
}
