//! Stage 3: documents as token shards, in `shards/training` and `shards/validation`.

use std::fmt;

use ::tokenizer::{END_OF_TEXT, Tokenizer};
use anyhow::{Context, Result};
use batches::{ShardConfig, ShardWriter};
use corpus::read_jsonl;
use serde::{Deserialize, Serialize};

use super::corpus::{HELD_OUT_FILE, TRAINING_FILE};
use crate::progress;
use crate::run::Run;

/// How many tokens there are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShardsReport {
    /// Tokens for training.
    pub training_tokens: u64,
    /// Tokens for validation.
    pub validation_tokens: u64,
}

/// Shards for training.
pub const TRAINING_SHARDS: &str = "shards/training";
/// Shards for validation.
pub const VALIDATION_SHARDS: &str = "shards/validation";

const TOKENS_PER_SHARD: u64 = 16 << 20;

/// Encodes all documents.
///
/// # Errors
/// If the documents cannot be read or the shards not be written.
pub fn write(run: &mut Run) -> Result<ShardsReport> {
    let tokenizer = super::tokenizer::load(run)?;
    Ok(ShardsReport {
        training_tokens: encode(run, &tokenizer, TRAINING_FILE, TRAINING_SHARDS)?,
        validation_tokens: encode(run, &tokenizer, HELD_OUT_FILE, VALIDATION_SHARDS)?,
    })
}

/// Encodes one file of documents and returns the number of tokens.
fn encode(run: &Run, tokenizer: &Tokenizer, documents: &str, shards: &str) -> Result<u64> {
    const DOCUMENTS_AT_ONCE: usize = 512;
    let documents = read_jsonl(&run.path(documents))?.documents;
    let eot_id = tokenizer.id_of(END_OF_TEXT).context("the tokenizer has no end-of-text token")?;
    let config = ShardConfig { vocab_size: tokenizer.vocab_size(), eot_id, tokens_per_shard: TOKENS_PER_SHARD };
    let folder = run.path(shards);
    if folder.exists() {
        // A stage that was interrupted left some; a finished stage is not run again.
        std::fs::remove_dir_all(&folder)?;
    }
    let mut writer = ShardWriter::create(&folder, config)?;
    let bar = progress::bar("shards", documents.len() as u64);
    for chunk in documents.chunks(DOCUMENTS_AT_ONCE) {
        let texts: Vec<&str> = chunk.iter().map(|document| document.text.as_str()).collect();
        for ids in tokenizer.encode_batch(&texts) {
            writer.push_document(&ids)?;
        }
        bar.inc(chunk.len() as u64);
    }
    bar.finish_and_clear();
    Ok(writer.finish()?.n_tokens)
}

impl fmt::Display for ShardsReport {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} tokens for training, {} for validation", self.training_tokens, self.validation_tokens)
    }
}
