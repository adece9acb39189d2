//! Chapter 11: pretraining, the whole run.
//!
//! | file | concept |
//! |---|---|
//! | [`task`] | next-token prediction on shards, as a [`training::Task`] |
//! | [`baseline`] | what the loss must beat: uniform, unigram and bigram guesses |
//! | [`gpu`] | what GPUs can do, from their data sheets |
//! | [`scaling_law`] | the loss to expect, by published fits |
//! | [`plan`] | memory, hours and loss of a run before it is run |
//! | [`budget`] | tokens, FLOPs and minutes: how long to train what |
//!
//! `cargo run --release -- chapter 11` runs [`tour()`].

pub mod baseline;
pub mod budget;
pub mod gpu;
pub mod plan;
pub mod scaling_law;
pub mod task;
pub mod tour;

pub use baseline::{Baselines, baselines};
pub use budget::{chinchilla_tokens, median, run_flops, steps_within};
pub use gpu::Gpu;
pub use plan::{Plan, plan};
pub use task::{PretrainConfig, Pretraining};
pub use tour::tour;
