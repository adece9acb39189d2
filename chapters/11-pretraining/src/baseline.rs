//! What the loss must beat. Three guesses that need no network:
//! uniform, $\ln V$; unigram, the entropy of token frequencies; bigram, the entropy of the next token given the one before.
//!
//! A model's loss curve walks down these stairs in this order: it first learns how frequent tokens are, then what follows what, and only then
//! anything that deserves to be called language. A loss that stays on a stair says where learning stopped.

use std::collections::HashMap;

use batches::{BatchError, Shards};

/// Cross-entropies on validation data, in nats a token, of guesses counted on training data with add-one smoothing.
// ANCHOR: baselines
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Baselines {
    /// Every token equally likely.
    pub uniform: f64,
    /// Each token as likely as it is frequent.
    pub unigram: f64,
    /// Each token as likely as it is frequent after the one before.
    pub bigram: f64,
}

/// Counts on `training` and scores on `validation`, both read up to `max_tokens`.
///
/// # Errors
/// If a shard is damaged.
pub fn baselines(training: &Shards, validation: &Shards, max_tokens: usize) -> Result<Baselines, BatchError> {
    let (train, test) = (first_tokens(training, max_tokens)?, first_tokens(validation, max_tokens)?);
    let vocab_size = training.index().vocab_size as f64;
    let mut unigrams: HashMap<u32, f64> = HashMap::new();
    let mut bigrams: HashMap<(u32, u32), f64> = HashMap::new();
    for pair in train.windows(2) {
        *unigrams.entry(pair[0]).or_default() += 1.0;
        *bigrams.entry((pair[0], pair[1])).or_default() += 1.0;
    }
    let count = |token: u32| unigrams.get(&token).copied().unwrap_or(0.0);
    let n_train = train.len().saturating_sub(1) as f64;
    let (mut unigram, mut bigram) = (0.0, 0.0);
    for pair in test.windows(2) {
        unigram -= ((count(pair[1]) + 1.0) / (n_train + vocab_size)).ln();
        let joint = bigrams.get(&(pair[0], pair[1])).copied().unwrap_or(0.0);
        bigram -= ((joint + 1.0) / (count(pair[0]) + vocab_size)).ln();
    }
    let n_test = test.len().saturating_sub(1).max(1) as f64;
    Ok(Baselines { uniform: vocab_size.ln(), unigram: unigram / n_test, bigram: bigram / n_test })
}
// ANCHOR_END: baselines

fn first_tokens(shards: &Shards, max_tokens: usize) -> Result<Vec<u32>, BatchError> {
    let mut tokens = Vec::new();
    shards.read(0, max_tokens.min(shards.n_tokens() as usize), &mut tokens)?;
    Ok(tokens)
}
