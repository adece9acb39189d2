//! Documents joined into one stream of tokens, written as shards.
//!
//! ```text
//! doc 0 …  <|endoftext|>  doc 1 …  <|endoftext|>  …      (n_tokens,) u16 or u32, little-endian
//! ```
//!
//! A corpus is tokenized once and read many times, so the ids are stored raw: the token at place i is at byte
//! i × (2 or 4), and a reader needs no parser. The stream is cut into files of `tokens_per_shard`, in the middle of a
//! document where need be: the reader joins them again.
//!
//! A shard is written under a temporary name, hashed on the way, and renamed when complete; the index comes last. A
//! killed writer leaves no index, so nothing takes its shards for a finished set.
//!
//! It refuses ids outside the vocabulary. It skips and counts empty documents.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::{
    BatchError, ShardIndex, TokenDtype,
    shard_index::{INDEX_FILE, ShardEntry, hex},
};

// ANCHOR: shard_config
/// How to write shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardConfig {
    /// Every id must be below this.
    pub vocab_size: usize,
    /// The id that ends each document; documents do not bring it along.
    pub eot_id: u32,
    /// Tokens a file; the last may have fewer.
    pub tokens_per_shard: u64,
}
// ANCHOR_END: shard_config

impl ShardConfig {
    /// Tokens a shard by default: 100 million, which is 200 MB of `u16`.
    pub const DEFAULT_TOKENS_PER_SHARD: u64 = 100_000_000;

    /// Checks that the end-of-text id is in the vocabulary and that a shard holds tokens.
    ///
    /// # Errors
    /// An end-of-text id outside the vocabulary, or shards of 0 tokens.
    pub fn validate(&self) -> Result<(), BatchError> {
        let Self { vocab_size, eot_id, tokens_per_shard } = *self;
        if eot_id as usize >= vocab_size {
            let message = format!("eot_id {eot_id} is not below vocab_size {vocab_size}; take it from the tokenizer");
            return Err(BatchError::Config(message));
        }
        if tokens_per_shard == 0 {
            let default = Self::DEFAULT_TOKENS_PER_SHARD;
            return Err(BatchError::Config(format!("tokens_per_shard is 0; choose 1 or more, such as {default}")));
        }
        Ok(())
    }
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Tokens, end-of-text ids included.
    pub n_tokens: u64,
    /// Documents, empty ones left out.
    pub n_documents: u64,
    /// Empty documents that were skipped.
    pub n_empty: u64,
    /// Files.
    pub n_shards: usize,
    /// Bytes of all shards.
    pub n_bytes: u64,
}

/// Writes one folder of shards.
#[derive(Debug)]
pub struct ShardWriter {
    dir: PathBuf,
    config: ShardConfig,
    dtype: TokenDtype,
    done: Vec<ShardEntry>,
    open: Option<OpenShard>,
    n_documents: u64,
    n_empty: u64,
    /// Bytes of the document in hand, kept to spare an allocation for each.
    bytes: Vec<u8>,
}

// ANCHOR: shard_writer
impl ShardWriter {
    /// Prepares `dir`, making it where it is missing.
    ///
    /// # Errors
    /// A setting that cannot work, a folder that already holds finished shards, or one that cannot be made.
    pub fn create(dir: impl AsRef<Path>, config: ShardConfig) -> Result<Self, BatchError> {
        config.validate()?;
        let dir = dir.as_ref().to_path_buf();
        fs::create_dir_all(&dir).map_err(|source| BatchError::io("create", &dir, source))?;
        if dir.join(INDEX_FILE).exists() {
            return Err(BatchError::AlreadyThere { path: dir });
        }
        let dtype = TokenDtype::for_vocab_size(config.vocab_size);
        Ok(Self { dir, config, dtype, done: vec![], open: None, n_documents: 0, n_empty: 0, bytes: vec![] })
    }

    /// Appends one document and the end-of-text id. An empty document is skipped and counted.
    ///
    /// # Errors
    /// An id outside the vocabulary (nothing of that document is written then), or a write that fails.
    pub fn push_document(&mut self, ids: &[u32]) -> Result<(), BatchError> {
        let ShardConfig { vocab_size, eot_id, .. } = self.config;
        if ids.is_empty() {
            self.n_empty += 1;
            return Ok(());
        }
        if let Some(&id) = ids.iter().find(|&&id| id as usize >= vocab_size) {
            return Err(BatchError::TokenOutOfVocab { document: self.n_documents + self.n_empty, id, vocab_size });
        }
        self.bytes.clear();
        for &id in ids.iter().chain([&eot_id]) {
            self.dtype.append(id, &mut self.bytes);
        }
        let bytes = std::mem::take(&mut self.bytes);
        self.write_stream(&bytes)?;
        self.bytes = bytes;
        self.n_documents += 1;
        Ok(())
    }

    /// Closes the last shard and writes the index.
    ///
    /// # Errors
    /// [`BatchError::NoTokens`] when no document had a token, or a write that fails.
    pub fn finish(mut self) -> Result<Summary, BatchError> {
        self.close_shard()?;
        if self.done.is_empty() {
            return Err(BatchError::NoTokens { path: self.dir.clone(), n_empty: self.n_empty });
        }
        let n_tokens = self.done.iter().map(|shard| shard.n_tokens).sum();
        let ShardConfig { vocab_size, eot_id, .. } = self.config;
        let (dtype, n_documents, n_shards) = (self.dtype, self.n_documents, self.done.len());
        let shards = std::mem::take(&mut self.done);
        ShardIndex { dtype, vocab_size, eot_id, n_tokens, n_documents, shards }.write(&self.dir)?;
        let n_bytes = n_tokens * dtype.n_bytes() as u64;
        Ok(Summary { n_tokens, n_documents, n_empty: self.n_empty, n_shards, n_bytes })
    }
}
// ANCHOR_END: shard_writer

impl ShardWriter {
    /// Writes a document's bytes, into as many shards as they need.
    fn write_stream(&mut self, mut bytes: &[u8]) -> Result<(), BatchError> {
        let token_bytes = self.dtype.n_bytes();
        while !bytes.is_empty() {
            let mut shard = match self.open.take() {
                Some(shard) => shard,
                None => OpenShard::create(&self.dir, self.done.len())?,
            };
            let n_left = self.config.tokens_per_shard - shard.n_tokens;
            let n_now = n_left.min((bytes.len() / token_bytes) as u64);
            let (now, later) = bytes.split_at(n_now as usize * token_bytes);
            shard.write(now, n_now)?;
            shard.n_documents += u64::from(later.is_empty());
            let is_full = n_now == n_left;
            self.open = Some(shard);
            if is_full {
                self.close_shard()?;
            }
            bytes = later;
        }
        Ok(())
    }

    fn close_shard(&mut self) -> Result<(), BatchError> {
        if let Some(shard) = self.open.take() {
            self.done.push(shard.close()?);
        }
        Ok(())
    }
}

/// A writer that is dropped without `finish` takes its unfinished file along.
impl Drop for ShardWriter {
    fn drop(&mut self) {
        if let Some(shard) = self.open.take() {
            let _ = fs::remove_file(&shard.temporary);
        }
    }
}

#[derive(Debug)]
struct OpenShard {
    path: PathBuf,
    temporary: PathBuf,
    file: BufWriter<File>,
    hasher: Hasher,
    n_tokens: u64,
    n_documents: u64,
}

impl OpenShard {
    fn create(dir: &Path, number: usize) -> Result<Self, BatchError> {
        let name = format!("shard-{number:05}.bin");
        let (path, temporary) = (dir.join(&name), dir.join(format!("{name}.tmp")));
        let file = File::create(&temporary).map_err(|source| BatchError::io("create", &temporary, source))?;
        let (file, hasher) = (BufWriter::new(file), Hasher(Xxh3::new()));
        Ok(Self { path, temporary, file, hasher, n_tokens: 0, n_documents: 0 })
    }

    fn write(&mut self, bytes: &[u8], n_tokens: u64) -> Result<(), BatchError> {
        self.file.write_all(bytes).map_err(|source| BatchError::io("write", &self.temporary, source))?;
        self.hasher.0.update(bytes);
        self.n_tokens += n_tokens;
        Ok(())
    }

    fn close(self) -> Result<ShardEntry, BatchError> {
        let Self { path, temporary, file, hasher, n_tokens, n_documents } = self;
        file.into_inner()
            .map_err(std::io::IntoInnerError::into_error)
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::rename(&temporary, &path))
            .map_err(|source| {
                let _ = fs::remove_file(&temporary); // Best effort: the error to report is the first one.
                BatchError::io("write", &path, source)
            })?;
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(ShardEntry { file, n_tokens, n_documents, xxh3: hex(hasher.0.digest()) })
    }
}

/// The hash so far; it has no `Debug` of its own.
struct Hasher(Xxh3);

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hasher({})", hex(self.0.digest()))
    }
}
