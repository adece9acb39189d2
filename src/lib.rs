//! Build a large language model from scratch: the whole book in reading order, and the runs that put its chapters together.
//!
//! | chapter | crate |
//! |---|---|
//! | 1 | [`tensors`]: tensors, autograd, and the checks that keep both honest |
//! | 2 | [`corpus`]: from web pages to clean text |
//! | 3 | [`tokenizer`]: byte-level BPE |
//! | 4 | [`batches`]: token shards, packing, shuffling, a loader that resumes |
//! | 5 | [`attention`]: scaled dot products, causal masks, heads, rotary positions |
//! | 6 | [`transformer`]: the model, one definition for all that follows |
//! | 7 | [`generation`]: sampling and the KV cache |
//! | 8 | [`training`]: loss, AdamW, schedule, clipping, checkpoints |
//! | 9 | [`kernels`]: fused operations with a forward and a backward, and bfloat16 |
//! | 10 | [`evaluation`]: bits per byte, cloze, exact match, intervals |
//! | 11 | [`pretraining`]: the whole run and its budget |
//! | 13 | [`finetuning`]: chat templates, loss masks, SFT |
//! | 14 | [`preferences`]: DPO |
//!
//! What is in this crate itself: [`preset`] (the settings of a run), [`corpus_source`] (where its text comes from), [`run`] (its folder),
//! [`stages`] (one file a stage), [`memory`] (what a step takes), [`figures`] (one file a figure) and [`chapters`] (the tours).

// A library does not print, and what the program prints may meet a closed pipe, which `println!` answers with a panic.
#![warn(clippy::print_stdout)]

pub use {
    attention, batches, corpus, evaluation, finetuning, generation, kernels, preferences, pretraining, tensors,
    tokenizer, training, transformer,
};

pub mod bench;
pub mod chapters;
pub mod compute;
pub mod corpus_source;
pub mod figures;
pub mod inspection;
pub mod memory;
pub mod model_report;
pub mod page;
pub mod preset;
pub mod progress;
pub mod request;
pub mod run;
pub mod stages;
pub mod trace;
