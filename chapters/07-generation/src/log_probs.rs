//! How likely a generated token was: $\log p_i = z_i - \log \sum_j e^{z_j}$.
//!
//! These are the model's own log-probabilities (natural logarithm), of its logits as they come: before penalties, temperature and cuts. So
//! they do not depend on how the token was chosen, sum up to the score of a text, and compare between settings. (vLLM's default,
//! `raw_logprobs`, is the same; the field is OpenAI's `logprobs`.)

// ANCHOR: log_probs
/// Log-probability of a token, and of the most likely ones at its place.
#[derive(Debug, Clone, PartialEq)]
pub struct LogProbs {
    /// Of the token that was generated.
    pub of_token: f64,
    /// The most likely tokens with theirs, most likely first; tokens that cannot come are left out. The one that was generated need not be
    /// among them.
    pub top: Vec<(u32, f64)>,
}

impl LogProbs {
    /// Of `token` and of the `n_top` most likely tokens, given the model's logits `(vocab_size)`.
    pub fn new(logits: &[f32], token: u32, n_top: usize) -> Self {
        let max = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let log_sum = max + logits.iter().map(|&logit| (f64::from(logit) - max).exp()).sum::<f64>().ln();
        let log_prob = |token: u32| logits.get(token as usize).map_or(f64::NEG_INFINITY, |z| f64::from(*z) - log_sum);
        let top = most_likely(logits, n_top).into_iter().map(|token| (token, log_prob(token)));
        let top = top.filter(|(_, log_prob)| log_prob.is_finite()).collect();
        Self { of_token: log_prob(token), top }
    }
}
// ANCHOR_END: log_probs

/// The `n` most likely tokens, the most likely first; of equals the one with the smaller id.
fn most_likely(logits: &[f32], n: usize) -> Vec<u32> {
    let order = |a: &u32, b: &u32| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b));
    let mut tokens: Vec<u32> = (0..logits.len() as u32).collect();
    if n < tokens.len() {
        tokens.select_nth_unstable_by(n, order);
        tokens.truncate(n);
    }
    tokens.sort_unstable_by(order);
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_probs_are_the_model_s_own() {
        let logits: Vec<f32> = [0.1f32, 0.5, 0.15, 0.25].iter().map(|p| p.ln() + 7.0).collect();
        let found = LogProbs::new(&logits, 0, 2);
        assert!((found.of_token.exp() - 0.1).abs() < 1e-6);
        let top: Vec<(u32, f64)> = found.top.iter().map(|(token, log_prob)| (*token, log_prob.exp())).collect();
        assert!(top.len() == 2 && top[0].0 == 1 && top[1].0 == 3);
        assert!((top[0].1 - 0.5).abs() < 1e-6 && (top[1].1 - 0.25).abs() < 1e-6);
    }

    #[test]
    fn large_logits_and_forbidden_tokens_keep_their_numbers() {
        let found = LogProbs::new(&[800.0, 800.0, f32::NEG_INFINITY], 1, 9);
        assert!((found.of_token - 0.5f64.ln()).abs() < 1e-12);
        assert_eq!(found.top.iter().map(|(token, _)| *token).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(LogProbs::new(&[0.0, f32::NEG_INFINITY], 1, 0).of_token, f64::NEG_INFINITY);
        assert!(LogProbs::new(&[0.0, 1.0], 0, 0).top.is_empty());
    }
}
