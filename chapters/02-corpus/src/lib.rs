//! Chapter 02, corpus: from web pages to clean text.
//!
//! The map, in reading order:
//!
//! | file | what it holds |
//! |---|---|
//! | [`document`] | the unit every stage passes on |
//! | [`world`] | an invented world of towns and facts, and its noisy crawl with the truth about every page |
//! | [`warc`], [`html`], [`rustdoc`], [`read`] | reading: archives, pages, Rust's own documentation, folders |
//! | [`charset`] | from bytes in any encoding to text |
//! | `hub` (feature) | data sets of Hugging Face, fetched shard by shard |
//! | [`words`] | what counts as a word, for every stage that compares texts |
//! | [`language`], [`quality`], [`pii`] | filters that look at one page |
//! | [`exact_dedup`], [`minhash`] | filters that compare pages |
//! | [`decontaminate`] | keeps the exam out of the corpus |
//! | [`extraction`] | an archive's pages to text, the first stage |
//! | [`pipeline`] | the stages in order, and the funnel they make |
//! | [`truth`], [`score`] | what each stage should have done, and how close it came |
//! | [`build`] | the corpus of an invented world, from its crawl to its scores |
//! | [`mod@split`] | held-out documents |
//! | [`mod@tour`] | the chapter's experiment |

pub mod atomic_file;
pub mod build;
pub mod charset;
mod compression;
pub mod decontaminate;
pub mod document;
pub mod exact_dedup;
pub mod extraction;
mod funnel;
pub mod html;
#[cfg(feature = "hub")]
pub mod hub;
pub mod language;
pub mod minhash;
pub mod pii;
pub mod pipeline;
pub mod quality;
pub mod read;
pub mod rustdoc;
pub mod score;
pub mod setting;
pub mod split;
pub mod tour;
pub mod truth;
pub mod warc;
pub mod words;
pub mod world;

pub use build::{WorldCorpus, build_world};
pub use decontaminate::TestItem;
pub use document::Document;
pub use extraction::extract_warc;
pub use pipeline::{Cleaned, Funnel, PipelineConfig, Progress, Stage, clean};
pub use read::{ReadError, Reading, Skipped, read_folder, read_jsonl, write_jsonl};
pub use rustdoc::RustDocs;
pub use score::{Scores, StageScore};
pub use split::{Split, split};
pub use tour::tour;
pub use truth::Truth;
pub use world::{Attribute, Town, World, WorldConfig};
