//! What can go wrong: a request that cannot be met, or a file that cannot be read.
//!
//! A caller branches on these (a command line answers a wrong request differently from a damaged file), so this is an
//! enum. Each message names the value and the way out.

use std::path::{Path, PathBuf};

/// Why a tokenizer could not be trained, saved or loaded.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// The vocabulary has no room for the special tokens and the 256 bytes.
    #[error(
        "vocab_size {vocab_size} is too small: {n_special} special tokens and 256 bytes need {minimum}; choose {minimum} or more"
    )]
    VocabTooSmall {
        /// The size that was asked for.
        vocab_size: usize,
        /// How many special tokens were asked for.
        n_special: usize,
        /// The smallest size that works.
        minimum: usize,
    },
    /// The vocabulary has more tokens than an id can number.
    #[error("vocab_size {vocab_size} is too large: ids have 32 bits; choose {} or less", u32::MAX)]
    VocabTooLarge {
        /// The size that was asked for.
        vocab_size: usize,
    },
    /// A special token that cannot be one.
    #[error("special token {token:?} {reason}")]
    SpecialToken {
        /// The text of the token.
        token: String,
        /// What is wrong with it, and what to do.
        reason: &'static str,
    },
    /// A way to cut words that does not exist.
    #[error(
        "there is no pretokenizer {name}; choose gpt2, cl100k, o200k, llama3 or qwen2, with +digits or +digits3 to cut numbers first"
    )]
    UnknownPreTokenizer {
        /// The name that was asked for.
        name: String,
    },
    /// There was no text.
    #[error("nothing to train on: {n_texts} texts with 0 bytes in all; check the corpus that came before")]
    EmptyCorpus {
        /// How many (empty) texts there were.
        n_texts: usize,
    },
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not a tokenizer, or a part of it contradicts another.
    #[error("{} is no tokenizer that can be read: {reason}; name another file, or train or copy it again", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong in it.
        reason: String,
    },
    /// The file is a tokenizer of a kind that this chapter does not implement.
    #[error("{} needs {what}, which is not supported: only BPE is, over bytes with a known pattern or over characters (SentencePiece)", path.display())]
    Unsupported {
        /// Which file.
        path: PathBuf,
        /// The part that is not supported, with its value.
        what: String,
    },
}

impl TokenizerError {
    pub(crate) fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_path_buf(), reason: reason.into() }
    }

    pub(crate) fn unsupported(path: &Path, what: impl Into<String>) -> Self {
        Self::Unsupported { path: path.to_path_buf(), what: what.into() }
    }

    pub(crate) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { action, path: path.to_path_buf(), source }
    }
}
