//! Batch after batch, epoch after epoch, from any point on.
//!
//! Batch b of an epoch takes the sequences at places b × `batch_size` … of that epoch's order. An epoch has
//! ⌊n_sequences / batch_size⌋ batches; the few sequences left over are others in each epoch, because the order is.
//!
//! The state is (epoch, position, seed), with what it must agree with. A restored loader gives the same batches bit for
//! bit, because nothing but the state decides what comes next.
//!
//! It refuses data of less than one batch, and states of other settings or other data: silently going on with another
//! order would read some text twice and some never.

use candle_core::Device;
use serde::{Deserialize, Serialize};

use crate::{
    Batch, BatchError, Shards,
    packing::{n_sequences, sequence_start},
    shuffle::epoch_order,
};

// ANCHOR: loader_config
/// How to cut and order the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoaderConfig {
    /// Sequences in a batch.
    pub batch_size: usize,
    /// Inputs in a sequence.
    pub seq_len: usize,
    /// Decides the order of every epoch.
    pub seed: u64,
}

/// Where a loader stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoaderState {
    /// Epochs that are complete.
    pub epoch: u64,
    /// Batches already taken in this epoch.
    pub position: u64,
    /// The settings.
    pub config: LoaderConfig,
    /// Which stream it was: [`ShardIndex::fingerprint`](crate::ShardIndex::fingerprint).
    pub data: String,
}
// ANCHOR_END: loader_config

impl LoaderConfig {
    /// Checks that a batch has sequences and a sequence has tokens.
    ///
    /// # Errors
    /// A batch or a sequence of 0.
    pub fn validate(&self) -> Result<(), BatchError> {
        let Self { batch_size, seq_len, .. } = self;
        if *batch_size == 0 || *seq_len == 0 {
            let message = format!("batch_size is {batch_size} and seq_len is {seq_len}; both must be 1 or more");
            return Err(BatchError::Config(message));
        }
        Ok(())
    }
}

// ANCHOR: loader
/// Endless shuffled batches of a stream.
#[derive(Debug)]
pub struct Loader {
    shards: Shards,
    config: LoaderConfig,
    n_sequences: u32,
    epoch: u64,
    position: u64,
    /// The order of this epoch, (n_sequences,).
    order: Vec<u32>,
}

impl Loader {
    /// Starts at the first batch of the first epoch.
    ///
    /// # Errors
    /// Settings of 0, or data of less than one batch.
    pub fn new(shards: Shards, config: LoaderConfig) -> Result<Self, BatchError> {
        config.validate()?;
        let LoaderConfig { batch_size, seq_len, seed } = config;
        let n_tokens = shards.n_tokens();
        let n_sequences = n_sequences(n_tokens, seq_len);
        if n_sequences < batch_size as u64 {
            return Err(BatchError::TooFewTokens { n_tokens, n_sequences, batch_size, seq_len });
        }
        let n_sequences = u32::try_from(n_sequences).map_err(|_| {
            BatchError::Config(format!("{n_sequences} sequences are too many to shuffle; choose a longer seq_len"))
        })?;
        let order = epoch_order(n_sequences, seed, 0);
        Ok(Self { shards, config, n_sequences, epoch: 0, position: 0, order })
    }

    /// The next batch; after the last of an epoch, the first of the next.
    ///
    /// # Errors
    /// A damaged shard, or a tensor that cannot be made.
    pub fn next_batch(&mut self, device: &Device) -> Result<Batch, BatchError> {
        if self.position == self.batches_per_epoch() {
            self.go_to(self.epoch + 1, 0);
        }
        let LoaderConfig { batch_size, seq_len, .. } = self.config;
        let first = self.position as usize * batch_size;
        let mut rows = Vec::with_capacity(batch_size * (seq_len + 1));
        for &sequence in &self.order[first..first + batch_size] {
            self.shards.read(sequence_start(sequence.into(), seq_len), seq_len + 1, &mut rows)?;
        }
        let batch = Batch::from_rows(&rows, seq_len, device)?;
        self.position += 1;
        Ok(batch)
    }

    /// Where the loader stands; [`restore`](Self::restore) goes back there.
    pub fn state(&self) -> LoaderState {
        let data = self.shards.index().fingerprint();
        LoaderState { epoch: self.epoch, position: self.position, config: self.config, data }
    }

    /// Goes to a saved state: the next batch is the one that would have come next then.
    ///
    /// # Errors
    /// A state of other settings or other data, a position beyond the epoch, or an epoch that none can follow. The loader
    /// is then unchanged.
    pub fn restore(&mut self, state: &LoaderState) -> Result<(), BatchError> {
        let here = self.state();
        let settings = [
            ("batch_size", state.config.batch_size as u64, here.config.batch_size as u64),
            ("seq_len", state.config.seq_len as u64, here.config.seq_len as u64),
            ("seed", state.config.seed, here.config.seed),
        ];
        for (name, saved, current) in settings {
            if saved != current {
                return Err(other_state(name, saved, current));
            }
        }
        if state.data != here.data {
            return Err(other_state("data", &state.data, &here.data));
        }
        if state.position > self.batches_per_epoch() {
            return Err(other_state("position", state.position, format!("{} batches", self.batches_per_epoch())));
        }
        if state.epoch > Self::LAST_EPOCH {
            return Err(other_state("epoch", state.epoch, format!("{} at most", Self::LAST_EPOCH)));
        }
        self.go_to(state.epoch, state.position);
        Ok(())
    }

    fn go_to(&mut self, epoch: u64, position: u64) {
        if epoch != self.epoch {
            self.order = epoch_order(self.n_sequences, self.config.seed, epoch);
        }
        (self.epoch, self.position) = (epoch, position);
    }

    /// Batches in an epoch; the sequences left over wait for another epoch's order.
    pub fn batches_per_epoch(&self) -> u64 {
        u64::from(self.n_sequences) / self.config.batch_size as u64
    }
}
// ANCHOR_END: loader

impl Loader {
    /// A damaged state may name any epoch; after this one there is still a next.
    const LAST_EPOCH: u64 = u64::MAX - 1;

    /// The stream it reads.
    pub fn shards(&self) -> &Shards {
        &self.shards
    }

    /// Targets in a batch: batch_size × seq_len.
    pub fn tokens_per_batch(&self) -> u64 {
        self.config.batch_size as u64 * self.config.seq_len as u64
    }
}

fn other_state(name: &'static str, saved: impl ToString, current: impl ToString) -> BatchError {
    BatchError::OtherState { name, saved: saved.to_string(), current: current.to_string() }
}
