//! Solution 14.2: shift by one, pick, sum.
//!
//! The loop starts at 1, which settles both ends: token 0 is never predicted and the last logits
//! are never used.

/// Log-probability (natural logarithm) of the tokens where `mask` is true, each given all before
/// it.
pub fn sequence_log_prob(logits: &[Vec<f64>], tokens: &[usize], mask: &[bool]) -> f64 {
    (1..tokens.len()).filter(|&t| mask[t]).map(|t| log_softmax_at(&logits[t - 1], tokens[t])).sum()
}

/// `ln softmax(logits)[token]`.
fn log_softmax_at(logits: &[f64], token: usize) -> f64 {
    let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits.iter().map(|x| (x - max).exp()).sum();
    logits[token] - max - sum.ln()
}
