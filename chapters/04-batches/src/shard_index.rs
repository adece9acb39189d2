//! `index.json`: what a folder of shards holds, so that a reader can check before it trusts.
//!
//! The index is written last. A folder without one was never finished, and is refused.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::BatchError;

/// The index's name in its folder.
pub const INDEX_FILE: &str = "index.json";

// ANCHOR: shard_index
/// What the shards of one folder hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardIndex {
    /// How a token is stored.
    pub dtype: TokenDtype,
    /// Every id is below this.
    pub vocab_size: usize,
    /// The id that ends each document.
    pub eot_id: u32,
    /// Tokens in all shards, end-of-text ids included.
    pub n_tokens: u64,
    /// Documents in all shards.
    pub n_documents: u64,
    /// The files, in the order of the stream.
    pub shards: Vec<ShardEntry>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardEntry {
    /// Its name in the folder.
    pub file: String,
    /// Tokens in it.
    pub n_tokens: u64,
    /// Documents that end in it.
    pub n_documents: u64,
    /// XXH3-64 of its bytes, in hexadecimal.
    pub xxh3: String,
}

/// How a token is stored, always little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenDtype {
    /// Two bytes, for vocabularies of up to 65,536 tokens.
    U16,
    /// Four bytes.
    U32,
}
// ANCHOR_END: shard_index

impl TokenDtype {
    /// The smallest that holds every id of the vocabulary.
    pub fn for_vocab_size(vocab_size: usize) -> Self {
        if vocab_size <= usize::from(u16::MAX) + 1 { Self::U16 } else { Self::U32 }
    }

    /// Bytes a token takes.
    pub fn n_bytes(self) -> usize {
        match self {
            Self::U16 => size_of::<u16>(),
            Self::U32 => size_of::<u32>(),
        }
    }

    /// Appends the bytes of `id`, which fits because the writer checked it against the vocabulary.
    pub(crate) fn append(self, id: u32, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&id.to_le_bytes()[..self.n_bytes()]);
    }

    /// The ids that `bytes` hold.
    pub(crate) fn ids(self, bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
        bytes.chunks_exact(self.n_bytes()).map(|token| {
            let mut padded = [0; size_of::<u32>()];
            padded[..token.len()].copy_from_slice(token);
            u32::from_le_bytes(padded)
        })
    }
}

impl ShardIndex {
    /// Reads `index.json` of `dir` and checks that its sums agree.
    ///
    /// # Errors
    /// A missing file, text that is no index, sums that disagree, or a file name that leaves the folder.
    pub fn read(dir: &Path) -> Result<Self, BatchError> {
        let path = dir.join(INDEX_FILE);
        let text = fs::read(&path).map_err(|source| BatchError::io("read", &path, source))?;
        let index: Self =
            serde_json::from_slice(&text).map_err(|error| BatchError::damaged(&path, error.to_string()))?;
        let n_tokens = index.shards.iter().try_fold(0_u64, |sum, shard| sum.checked_add(shard.n_tokens));
        if n_tokens != Some(index.n_tokens) {
            let reason = format!("its shards do not sum to its n_tokens {}", index.n_tokens);
            return Err(BatchError::damaged(&path, reason));
        }
        if let Some(shard) = index.shards.iter().find(|shard| Path::new(&shard.file).components().count() != 1) {
            return Err(BatchError::damaged(&path, format!("{:?} is not a file in its folder", shard.file)));
        }
        Ok(index)
    }

    /// Writes `index.json` into `dir`, complete or not at all.
    pub(crate) fn write(&self, dir: &Path) -> Result<PathBuf, BatchError> {
        let path = dir.join(INDEX_FILE);
        let temporary = dir.join(format!("{INDEX_FILE}.tmp"));
        let text = serde_json::to_vec_pretty(self).map_err(|error| BatchError::io("write", &path, error.into()))?;
        fs::write(&temporary, text)
            .and_then(|()| fs::File::open(&temporary)?.sync_all())
            .and_then(|()| fs::rename(&temporary, &path))
            .map_err(|source| {
                let _ = fs::remove_file(&temporary); // Best effort: the error to report is the first one.
                BatchError::io("write", &path, source)
            })?;
        Ok(path)
    }

    /// One number for the whole stream: equal streams cut into equal shards have equal fingerprints.
    pub fn fingerprint(&self) -> String {
        let sums: Vec<&str> = self.shards.iter().map(|shard| shard.xxh3.as_str()).collect();
        hex(xxhash_rust::xxh3::xxh3_64(sums.join(" ").as_bytes()))
    }
}

pub(crate) fn hex(hash: u64) -> String {
    format!("{hash:016x}")
}
