//! The stream of tokens, read from its shards without loading them.
//!
//! The files are mapped into memory: the system reads a page (usually 4 KiB) when something in it is asked for, and
//! forgets it under pressure. A stream of a hundred gigabytes opens in no time.
//!
//! Checked at opening: the index, and that each file has exactly the bytes that its tokens need. Checked at every read:
//! that ids are below `vocab_size`, because an embedding look-up out of range would fail far from the cause. Checked on
//! request ([`Shards::verify`]): the checksums, which reads every byte.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use memmap2::Mmap;
use xxhash_rust::xxh3::xxh3_64;

use crate::{BatchError, ShardIndex, shard_index::hex};

/// A folder of shards, open for reading.
#[derive(Debug)]
pub struct Shards {
    index: ShardIndex,
    files: Vec<MappedShard>,
}

#[derive(Debug)]
struct MappedShard {
    path: PathBuf,
    /// The place in the stream of its first token.
    start: u64,
    bytes: Mmap,
}

impl Shards {
    /// Opens the shards of `dir`.
    ///
    /// # Errors
    /// A missing or damaged index, a missing shard, or one whose size does not fit the index.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, BatchError> {
        let dir = dir.as_ref();
        let index = ShardIndex::read(dir)?;
        let mut files = Vec::with_capacity(index.shards.len());
        let mut start = 0;
        for shard in &index.shards {
            let path = dir.join(&shard.file);
            let bytes = map_read_only(&path)?;
            let expected = shard.n_tokens.checked_mul(index.dtype.n_bytes() as u64);
            if expected != Some(bytes.len() as u64) {
                let reason = format!("{} bytes for {} {:?} tokens", bytes.len(), shard.n_tokens, index.dtype);
                return Err(BatchError::damaged(&path, reason));
            }
            files.push(MappedShard { path, start, bytes });
            start += shard.n_tokens;
        }
        Ok(Self { index, files })
    }

    /// Reads every byte and compares checksums and ids with the index.
    ///
    /// # Errors
    /// The first shard whose checksum differs, or that holds an id outside the vocabulary.
    pub fn verify(&self) -> Result<(), BatchError> {
        for (file, entry) in self.files.iter().zip(&self.index.shards) {
            let found = hex(xxh3_64(&file.bytes));
            if found != entry.xxh3 {
                let reason = format!("its xxh3 is {found}, the index says {}", entry.xxh3);
                return Err(BatchError::damaged(&file.path, reason));
            }
            self.check_ids(file, 0, &file.bytes)?;
        }
        Ok(())
    }
}

// ANCHOR: read
impl Shards {
    /// Appends the `n_tokens` tokens that begin at place `start` of the stream, across shards where need be.
    ///
    /// # Errors
    /// A range beyond the end, or an id outside the vocabulary.
    pub fn read(&self, start: u64, n_tokens: usize, ids: &mut Vec<u32>) -> Result<(), BatchError> {
        let end = start.saturating_add(n_tokens as u64);
        if end > self.n_tokens() {
            let message = format!("tokens {start}..{end} asked for, but the stream has {}", self.n_tokens());
            return Err(BatchError::Config(message));
        }
        let first = self.files.partition_point(|file| file.start <= start).saturating_sub(1);
        let token_bytes = self.index.dtype.n_bytes();
        for file in &self.files[first..] {
            let file_end = file.start + (file.bytes.len() / token_bytes) as u64;
            let (from, to) = (start.max(file.start), end.min(file_end));
            if from >= to {
                break;
            }
            let offset = |place: u64| (place - file.start) as usize * token_bytes;
            let bytes = &file.bytes[offset(from)..offset(to)];
            self.check_ids(file, from - file.start, bytes)?;
            ids.extend(self.index.dtype.ids(bytes));
        }
        Ok(())
    }
}
// ANCHOR_END: read

impl Shards {
    /// Tokens in the stream.
    pub fn n_tokens(&self) -> u64 {
        self.index.n_tokens
    }

    /// What the folder holds.
    pub fn index(&self) -> &ShardIndex {
        &self.index
    }

    fn check_ids(&self, file: &MappedShard, first_place: u64, bytes: &[u8]) -> Result<(), BatchError> {
        let vocab_size = self.index.vocab_size;
        match self.index.dtype.ids(bytes).zip(first_place..).find(|&(id, _)| id as usize >= vocab_size) {
            Some((id, place)) => {
                let reason = format!("token {place} is {id}, not below vocab_size {vocab_size}");
                Err(BatchError::damaged(&file.path, reason))
            }
            None => Ok(()),
        }
    }
}

// ANCHOR: map_read_only
/// The file's bytes, mapped for reading.
///
/// Mapping is unsafe because the bytes change, or the process dies of a bus error, if someone else writes to the file or
/// cuts it while it is mapped. Shards are written under a temporary name, renamed when complete, and never opened for
/// writing again by this program; whoever changes them while a run reads them has the same effect as pulling the disk.
#[allow(unsafe_code)]
fn map_read_only(path: &Path) -> Result<Mmap, BatchError> {
    let file = File::open(path).map_err(|source| BatchError::io("open", path, source))?;
    // SAFETY: nothing in this program writes to a finished shard; see above for everyone else.
    unsafe { Mmap::map(&file) }.map_err(|source| BatchError::io("map", path, source))
}
// ANCHOR_END: map_read_only
