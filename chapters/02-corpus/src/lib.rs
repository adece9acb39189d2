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
//! | [`url_block_list`], [`metadata`] | filters that need not look at the text |
//! | [`language`], [`lines`], [`quality`], [`word_lists`], [`pii`] | what the filters that look at one page look at |
//! | [`classifier`] | a trained judge: logistic regression on hashed words |
//! | [`filters`], [`tally`], [`rule_table`] | those filters as one question, and the count of the answers |
//! | [`exact_dedup`], [`minhash`], [`banding`], [`clusters`], [`paragraph_dedup`], [`substring_dedup`] | filters that compare pages |
//! | [`decontaminate`], [`evaluation_set`], [`contamination`] | keeps the exam out of the corpus; reads it; says what was found |
//! | [`extraction`] | an archive's pages to text, the first stage |
//! | [`pipeline`] | the stages in order, and the funnel they make |
//! | [`job`] | the same stages for a corpus that fits into no memory, on many machines |
//! | [`jsonl_dedup`] | the copies in one JSONL file |
//! | [`mod@mixture`] | how much of which source, when, and in which order |
//! | [`card`] | everything that is known of a corpus, for people and programs |
//! | [`truth`], [`score`] | what each stage should have done, and how close it came |
//! | [`build`] | the corpus of an invented world, from its crawl to its scores |
//! | [`mod@split`] | held-out documents |
//! | [`mod@tour`] | the chapter's experiment |

pub mod atomic_file;
pub mod banding;
pub mod build;
pub mod card;
pub mod charset;
pub mod classifier;
pub mod clusters;
mod compression;
pub mod contamination;
pub mod decontaminate;
pub mod document;
pub mod evaluation_set;
pub mod exact_dedup;
pub mod extraction;
mod fences;
pub mod filters;
mod funnel;
pub mod html;
#[cfg(feature = "hub")]
pub mod hub;
pub mod job;
pub mod jsonl_dedup;
pub mod language;
pub mod lines;
pub mod metadata;
pub mod minhash;
pub mod mixture;
pub mod paragraph_dedup;
pub mod pii;
pub mod pipeline;
pub mod quality;
pub mod read;
pub mod rule_table;
pub mod rustdoc;
pub mod score;
pub mod setting;
mod sha1_lanes;
pub mod split;
mod stage;
pub mod substring_dedup;
pub mod tally;
pub mod tour;
pub mod truth;
pub mod url_block_list;
pub mod warc;
pub mod word_lists;
pub mod words;
pub mod world;

pub use build::{WorldCorpus, build_world};
pub use card::{Card, CardSource};
pub use classifier::{Classifier, ClassifierConfig};
pub use decontaminate::TestItem;
pub use document::Document;
pub use extraction::extract_warc;
pub use filters::{Filters, Passed, Rejection};
pub use job::{Job, JobConfig, JobReport};
pub use pipeline::{Cleaned, Funnel, PipelineConfig, Progress, Stage, clean};
pub use read::{ReadError, Reading, Skipped, read_folder, read_jsonl, write_jsonl};
pub use rule_table::RuleTable;
pub use rustdoc::RustDocs;
pub use score::{Scores, StageScore};
pub use split::{Split, split};
pub use tally::FilterTally;
pub use tour::tour;
pub use truth::Truth;
pub use world::{Attribute, Town, World, WorldConfig};
