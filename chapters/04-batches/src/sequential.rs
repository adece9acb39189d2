//! Every sequence of a stream once, in order: what a validation loss is computed on.
//!
//! A validation loss is compared between steps and runs, so it must always see the same text. The last batch may be
//! smaller, so that a small held-out stream is used whole. Up to `seq_len - 1` tokens at its end are left out.

use candle_core::Device;

use crate::{
    Batch, BatchError, LoaderConfig, Shards,
    packing::{n_sequences, sequence_start},
};

// ANCHOR: sequential
/// One pass over a stream.
#[derive(Debug, Clone)]
pub struct Sequential<'s> {
    shards: &'s Shards,
    batch_size: usize,
    seq_len: usize,
    n_sequences: u64,
    next: u64,
}

impl<'s> Sequential<'s> {
    /// Starts at the beginning of the stream.
    ///
    /// # Errors
    /// Settings of 0, or a stream of less than one sequence.
    pub fn new(shards: &'s Shards, batch_size: usize, seq_len: usize) -> Result<Self, BatchError> {
        LoaderConfig { batch_size, seq_len, seed: 0 }.validate()?;
        let n_tokens = shards.n_tokens();
        let n_sequences = n_sequences(n_tokens, seq_len);
        if n_sequences == 0 {
            return Err(BatchError::TooFewTokens { n_tokens, n_sequences, batch_size: 1, seq_len });
        }
        Ok(Self { shards, batch_size, seq_len, n_sequences, next: 0 })
    }

    /// The next batch, of `batch_size` sequences or of those that are left; `None` at the end.
    ///
    /// # Errors
    /// A damaged shard, or a tensor that cannot be made.
    pub fn next_batch(&mut self, device: &Device) -> Result<Option<Batch>, BatchError> {
        let end = self.n_sequences.min(self.next + self.batch_size as u64);
        if self.next == end {
            return Ok(None);
        }
        let mut rows = Vec::new();
        for sequence in self.next..end {
            self.shards.read(sequence_start(sequence, self.seq_len), self.seq_len + 1, &mut rows)?;
        }
        self.next = end;
        Ok(Some(Batch::from_rows(&rows, self.seq_len, device)?))
    }
}
// ANCHOR_END: sequential
