//! Chapter 10: evaluation, numbers that mean something.
//!
//! | file | concept |
//! |---|---|
//! | [`bits_per_byte`](mod@bits_per_byte) | how well a model predicts held-out text, whatever its tokenizer |
//! | [`completion`] | cloze and exact match: does it say the fact? |
//! | [`score`] | a share with its confidence interval |
//!
//! `cargo run --release -- chapter 10` runs [`tour()`].

pub mod bits_per_byte;
pub mod completion;
pub mod score;
pub mod tour;

pub use bits_per_byte::{BitsPerByte, bits_per_byte};
pub use completion::{Completion, Item, Rule, complete, score_completions};
pub use score::Score;
pub use tour::tour;
