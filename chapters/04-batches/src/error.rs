//! What can go wrong between tokens and batches. Each message names the values and the way out.

use std::path::{Path, PathBuf};

/// Why shards could not be written or read, or a batch could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The folder holds a finished set of shards.
    #[error("{} already holds shards; remove the folder or choose another", path.display())]
    AlreadyThere {
        /// The folder.
        path: PathBuf,
    },
    /// A setting that cannot work.
    #[error("{0}")]
    Config(String),
    /// A document with an id that the vocabulary does not have.
    #[error(
        "document {document}: token id {id} is not below vocab_size {vocab_size}; encode it with the tokenizer of this run"
    )]
    TokenOutOfVocab {
        /// The document's place, from 0.
        document: u64,
        /// The id.
        id: u32,
        /// The size of the vocabulary.
        vocab_size: usize,
    },
    /// `finish` without a token.
    #[error("no tokens were written to {}: {n_empty} documents, all empty; check the corpus that came before", path.display())]
    NoTokens {
        /// The folder.
        path: PathBuf,
        /// Empty documents that were skipped.
        n_empty: u64,
    },
    /// A file that contradicts the index or itself.
    #[error("{} is damaged: {reason}; write the shards again", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The stream is too short.
    #[error(
        "{n_tokens} tokens give {n_sequences} sequences of {seq_len}, fewer than one batch of {batch_size}; \
         use a smaller batch_size or seq_len, or more text"
    )]
    TooFewTokens {
        /// Tokens in the stream.
        n_tokens: u64,
        /// Whole sequences that it gives.
        n_sequences: u64,
        /// Sequences asked for in a batch.
        batch_size: usize,
        /// Tokens asked for in a sequence.
        seq_len: usize,
    },
    /// A saved state that belongs to a loader with other settings or other data.
    #[error("the saved state has {name} {saved}, this loader has {current}; resume with the settings of the saved run")]
    OtherState {
        /// The setting.
        name: &'static str,
        /// Its value in the saved state.
        saved: String,
        /// Its value here.
        current: String,
    },
    /// A tensor could not be made.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

impl BatchError {
    pub(crate) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { action, path: path.to_path_buf(), source }
    }

    pub(crate) fn damaged(path: &Path, reason: String) -> Self {
        Self::Damaged { path: path.to_path_buf(), reason }
    }
}
