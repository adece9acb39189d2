//! Planted bug: the prompt counts as well.

/// Log-probability (natural logarithm) of the tokens where `mask` is true, each given all before
/// it.
pub fn sequence_log_prob(logits: &[Vec<f64>], tokens: &[usize], _mask: &[bool]) -> f64 {
    (1..tokens.len()).map(|t| log_softmax_at(&logits[t - 1], tokens[t])).sum()
}

/// `ln softmax(logits)[token]`.
fn log_softmax_at(logits: &[f64], token: usize) -> f64 {
    let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits.iter().map(|x| (x - max).exp()).sum();
    logits[token] - max - sum.ln()
}
