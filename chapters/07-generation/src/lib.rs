//! Chapter 7: generation, one token after another.
//!
//! | file | concept |
//! |---|---|
//! | [`cache`] | the KV cache: keys and values of earlier tokens, kept |
//! | [`sampler`] | from logits to a token: greedy, temperature, top-k, top-p |
//! | [`generator`] | the loop, with stop tokens, as an iterator |
//!
//! `cargo run --release -- chapter 7` runs [`tour()`].

pub mod cache;
pub mod generator;
pub mod sampler;
pub mod tour;

pub use cache::KvCache;
pub use generator::{Generator, Limits, generate};
pub use sampler::{Sampler, Sampling};
pub use tour::tour;
