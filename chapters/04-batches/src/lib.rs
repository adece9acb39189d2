//! Chapter 04: from token ids to batches: shards on disk, packing, shuffling, and a loader that resumes exactly.
//!
//! The map, in reading order:
//!
//! | file | what it holds |
//! |---|---|
//! | [`shard_writer`] | documents joined into one stream, written as files of two or four bytes a token |
//! | [`shard_index`] | `index.json`: what the files hold, and their checksums |
//! | [`shards`](mod@shards) | the stream read back, without loading it |
//! | [`packing`] | the stream cut into sequences of equal length |
//! | [`shuffle`] | the order of the sequences in an epoch, a function of seed and epoch |
//! | [`batch`] | inputs, targets and mask as tensors |
//! | [`loader`] | batch after batch, epoch after epoch, from any saved state |
//! | [`sequential`] | every sequence once, in order: for validation |
//!
//! Its sequence order is a pure function of (seed, epoch), so the state of a loader is its epoch and position.

pub mod batch;
pub mod error;
pub mod loader;
pub mod packing;
pub mod sequential;
pub mod shard_index;
pub mod shard_writer;
pub mod shards;
pub mod shuffle;
pub mod tour;

pub use batch::Batch;
pub use error::BatchError;
pub use loader::{Loader, LoaderConfig, LoaderState};
pub use sequential::Sequential;
pub use shard_index::{ShardIndex, TokenDtype};
pub use shard_writer::{ShardConfig, ShardWriter, Summary};
pub use shards::Shards;
pub use tour::tour;
