//! Chapter 8: training, one trainer for every stage of the book.
//!
//! | file | concept |
//! |---|---|
//! | [`loss`] | cross-entropy over the targets that count |
//! | [`gradients`] | sums over micro-batches, the global norm |
//! | [`schedule`] | linear warmup, then cosine |
//! | [`adamw`] | AdamW with decoupled weight decay, by hand |
//! | [`optimizer_ops`] | the arithmetic of a step, as a seam that faster ones enter through |
//! | [`trainer`] | the loop: [`Trainer`] runs any [`Task`] |
//! | [`divergence`] | where a step stopped being finite |
//! | [`checkpoint`] | everything that a run needs to go on, saved so that a kill cannot harm it |
//! | [`utilisation`] | FLOP/s reached, and their share of the device's peak |
//! | [`run_dir`] | the run folder and its `metrics.jsonl` |
//!
//! `cargo run --release -- chapter 8` runs [`tour()`].

pub mod adamw;
pub mod checkpoint;
pub mod divergence;
pub mod gradients;
pub mod loss;
pub mod optimizer_ops;
pub mod run_dir;
pub mod schedule;
pub mod tour;
pub mod trainer;
pub mod utilisation;

pub use adamw::{AdamW, AdamWConfig};
pub use gradients::Gradients;
pub use loss::{MicroLoss, next_token_loss};
pub use optimizer_ops::{OptimizerOps, ReferenceOptimizer};
pub use run_dir::{Metrics, RunDir};
pub use schedule::Schedule;
pub use tour::tour;
pub use trainer::{Task, TrainConfig, Trainer};
pub use utilisation::Utilisation;
