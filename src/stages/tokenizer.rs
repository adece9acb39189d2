//! Stage 2: a vocabulary, in `tokenizer.json`.

use std::fmt;

use ::tokenizer::Tokenizer;
use anyhow::Result;
use corpus::read_jsonl;
use serde::{Deserialize, Serialize};

use super::corpus::{HELD_OUT_FILE, TRAINING_FILE, first_texts};
use crate::run::Run;

/// What the vocabulary is like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenizerReport {
    /// Tokens in the vocabulary, special ones included.
    pub vocab_size: usize,
    /// Bytes that a token stands for on average, on held-out documents.
    pub bytes_per_token: f64,
}

/// The run's tokenizer.
pub const TOKENIZER_FILE: &str = "tokenizer.json";

/// Merges are learned from so many bytes: more hardly changes them.
const MAX_TRAINING_BYTES: usize = 20_000_000;

/// Trains a tokenizer on the training documents.
///
/// # Errors
/// If the documents cannot be read or the tokenizer not be written.
pub fn train(run: &mut Run) -> Result<TokenizerReport> {
    let documents = read_jsonl(&run.path(TRAINING_FILE))?.documents;
    let tokenizer = Tokenizer::train(&first_texts(&documents, MAX_TRAINING_BYTES), &run.config().tokenizer)?;
    tokenizer.save(run.path(TOKENIZER_FILE))?;
    // A short text may have fewer pairs to merge than there is room for.
    run.resolve(|config| {
        (config.tokenizer.vocab_size, config.model.vocab_size) = (tokenizer.vocab_size(), tokenizer.vocab_size());
    })?;
    let held_out = read_jsonl(&run.path(HELD_OUT_FILE))?.documents;
    let texts: Vec<&str> = held_out.iter().map(|document| document.text.as_str()).collect();
    let bytes_per_token = ::tokenizer::report(&tokenizer, &texts).bytes_per_token();
    Ok(TokenizerReport { vocab_size: tokenizer.vocab_size(), bytes_per_token })
}

/// Loads the run's tokenizer.
///
/// # Errors
/// If it is missing or damaged.
pub fn load(run: &Run) -> Result<Tokenizer> {
    Ok(Tokenizer::load(run.path(TOKENIZER_FILE))?)
}

impl fmt::Display for TokenizerReport {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} tokens; a token is {:.2} bytes of held-out text", self.vocab_size, self.bytes_per_token)
    }
}
