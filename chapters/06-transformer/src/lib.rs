//! Chapter 6: the transformer, one definition for the whole book.
//!
//! | file | concept |
//! |---|---|
//! | [`config`] | the sizes that define a model, checked once |
//! | [`ops`] | the seam: the few operations a model is made of, as a trait, and their reference |
//! | [`block`] | attention and SwiGLU around a residual stream |
//! | [`model`] | embedding, blocks, final norm and head: [`Transformer`] |
//! | [`accounting`] | parameters, FLOPs and bytes, before anything is built |
//! | [`hugging_face`] | `config.json`: our names and theirs |
//! | [`checkpoint`] | a model folder that Hugging Face's tools open, and back |
//!
//! `cargo run --release -- chapter 6` runs [`tour()`].

pub mod accounting;
pub mod block;
pub mod checkpoint;
pub mod config;
pub mod hugging_face;
pub mod model;
pub mod ops;
pub mod tour;

pub use accounting::{flops_per_token, n_parameters};
pub use block::{AttentionBranch, FeedForwardBranch};
pub use config::ModelConfig;
pub use model::Transformer;
pub use ops::{AttentionLayout, Ops, Reference, Weight};
pub use tour::tour;
