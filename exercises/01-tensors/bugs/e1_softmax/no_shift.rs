//! Planted bug: exponentials of the logits as they are; large ones overflow.

/// Probabilities of `logits`, `(vocab_size)` to `(vocab_size)`.
pub fn softmax(logits: &[f32]) -> Vec<f32> {
    let max = 0.0;
    let exps: Vec<f32> = logits.iter().map(|x| (x - max).exp()).collect();
    let sum: f32 = exps.iter().sum();
    exps.iter().map(|e| e / sum).collect()
}
