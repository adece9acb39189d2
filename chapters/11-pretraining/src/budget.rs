//! How long to train what.
//!
//! A run of $D$ tokens through $N$ parameters costs about $C = 6ND$ FLOPs. For a given $C$ the loss is lowest when parameters and tokens
//! grow together, at about 20 tokens a parameter (Hoffmann et al. 2022, arXiv 2203.15556, "Chinchilla", table 3). Models meant to be used
//! a lot are trained far longer: a smaller model that has seen more is cheaper for the rest of its life.

use transformer::{ModelConfig, flops_per_token, n_parameters};

/// Tokens a parameter at which training compute is spent best.
pub const TOKENS_PER_PARAMETER: f64 = 20.0;

// ANCHOR: budget
/// Compute-optimal number of training tokens.
pub fn chinchilla_tokens(config: &ModelConfig) -> f64 {
    TOKENS_PER_PARAMETER * n_parameters(config) as f64
}

/// FLOPs of a run over `n_tokens` in sequences of `seq_len`.
pub fn run_flops(config: &ModelConfig, seq_len: usize, n_tokens: f64) -> f64 {
    flops_per_token(config, seq_len) * n_tokens
}

/// Steps that fit into a time, given the seconds of some measured steps; their median decides, as the first ones are slow.
///
/// At least 1. Returns 1 too if nothing was measured.
pub fn steps_within(budget_s: f64, measured_s: &[f64]) -> usize {
    match median(measured_s) {
        Some(median) if median > 0.0 => ((budget_s / median) as usize).max(1),
        _ => 1,
    }
}

/// The upper one of two middle values, or `None` if there is none.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}
// ANCHOR_END: budget

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_values() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn the_median_step_decides() {
        assert_eq!(steps_within(100.0, &[9.0, 0.5, 0.5]), 200);
        assert_eq!(steps_within(0.1, &[0.5]), 1);
        assert_eq!(steps_within(100.0, &[]), 1);
    }
}
