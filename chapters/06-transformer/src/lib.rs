//! Chapter 6: the transformer, one definition for the whole book.
//!
//! | file | concept |
//! |---|---|
//! | [`config`] | the sizes that define a model, checked once |
//! | [`architecture`] | the choices in which families differ: GPT-2, Llama, Qwen, Mistral |
//! | [`ops`] | the seam: the few operations a model is made of, as a trait, and their reference |
//! | [`linear`], [`norm`] | a layer or a norm, with or without a bias |
//! | [`block`] | attention and a network for each position around a residual stream |
//! | [`llama_branches`] | the two halves of a Llama's block, for fused kernels |
//! | [`model`] | embedding, blocks, final norm and head: [`Transformer`] |
//! | [`accounting`] | parameters, FLOPs and bytes, before anything is built |
//! | [`hugging_face`] | `config.json`: our names and theirs |
//! | [`safetensors_file`] | weights on disk, mapped into memory |
//! | [`checkpoint`] | a model folder that Hugging Face's tools open, and back |
//!
//! `cargo run --release -- chapter 6` runs [`tour()`].

pub mod accounting;
pub mod architecture;
pub mod block;
pub mod checkpoint;
pub mod config;
mod fit;
pub mod hugging_face;
pub mod linear;
pub mod llama_branches;
pub mod model;
pub mod norm;
pub mod ops;
pub mod safetensors_file;
pub mod tour;

pub use accounting::{flops_per_token, n_parameters};
pub use architecture::{Architecture, Biases, FeedForwardKind, NormKind, Positions};
pub use block::{AttentionBranch, FeedForwardBranch};
pub use config::ModelConfig;
pub use linear::Linear;
pub use llama_branches::{LlamaAttention, LlamaFeedForward};
pub use model::Transformer;
pub use norm::Norm;
pub use ops::{AttentionLayout, Ops, Reference, Weight};
pub use tour::tour;
