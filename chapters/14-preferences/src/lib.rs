//! Chapter 14: preferences, from imitation to choice.
//!
//! | file | concept |
//! |---|---|
//! | [`pair`] | a prompt with a better and a worse answer |
//! | [`dpo`] | direct preference optimisation: the loss, and the task that trains with it |
//! | [`manner`] | how often a model answers in a full sentence when sampled |
//! | [`honesty`] | an experiment: can a preference teach "I don't know"? |
//!
//! `cargo run --release -- chapter 14` runs [`tour()`].

pub mod dpo;
pub mod honesty;
pub mod manner;
pub mod pair;
pub mod tour;

pub use dpo::{DpoConfig, PreferenceTuning, dpo_losses};
pub use manner::{MannerReport, manner};
pub use pair::{PreferencePair, manner_pairs};
pub use tour::tour;
