//! Chapter 7: generation, one token after another.
//!
//! | file | concept |
//! |---|---|
//! | [`sampling`] | the settings of a sampler, and their limits |
//! | [`penalties`] | tokens that the text already has become less likely |
//! | [`candidates`](mod@candidates) | the tokens that may be drawn: temperature, top-k, top-p, min-p |
//! | [`sampler`] | from logits to a token |
//! | [`log_probs`] | how likely a token was, and what else could have come |
//! | [`cache`] | the KV cache: keys and values of earlier tokens, kept |
//! | [`batch`] | the loop, for several texts side by side |
//! | [`generator`] | the same for one text, as an iterator |
//! | [`stop_strings`] | strings that end a text, across the borders of tokens |
//! | [`text_stream`] | tokens to text that can be shown at once |
//! | [`completion`] | requests to texts: all of the above together |
//!
//! `cargo run --release -- chapter 7` runs [`tour()`].

pub mod batch;
pub mod cache;
pub mod candidates;
pub mod completion;
pub mod generator;
pub mod log_probs;
pub mod penalties;
pub mod sampler;
pub mod sampling;
pub mod stop_strings;
pub mod text_stream;
pub mod tour;

pub use batch::{BatchGenerator, Event, FinishReason, Outcome, Request};
pub use cache::KvCache;
pub use candidates::candidates;
pub use completion::{Completion, Completions};
pub use generator::{Generator, Limits, generate};
pub use log_probs::LogProbs;
pub use penalties::{History, Penalties};
pub use sampler::Sampler;
pub use sampling::{Cuts, Sampling};
pub use stop_strings::StopStrings;
pub use text_stream::TextStream;
pub use tour::tour;
