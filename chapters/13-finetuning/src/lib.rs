//! Chapter 13: supervised finetuning, from a text predictor to something that answers.
//!
//! | file | concept |
//! |---|---|
//! | [`chat`] | chat templates: messages as tokens, safely |
//! | [`example`] | conversations with a loss mask: only the answer is learned |
//! | [`order`] | a seeded walk over examples that can be resumed |
//! | [`task`] | finetuning as a [`training::Task`] |
//! | [`facts`] | questions about the synthetic world, answered in two manners |
//! | [`laboratory`] | a small world and a model that knows it, for experiments of seconds |
//!
//! `cargo run --release -- chapter 13` runs [`tour()`].

pub mod chat;
pub mod example;
pub mod facts;
pub mod laboratory;
pub mod order;
pub mod task;
pub mod tour;

pub use chat::{ChatTemplate, Message, Role};
pub use example::{Conversation, Example};
pub use facts::{FactQuestion, cloze_items, fact_questions, question_items, two_manners};
pub use order::ExampleOrder;
pub use task::{FinetuneConfig, Finetuning};
pub use tour::tour;
