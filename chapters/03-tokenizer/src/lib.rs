//! Chapter 03: byte-level byte-pair encoding, from text to numbers and back.
//!
//! A model computes with numbers, so text becomes a list of ids into a table of tokens, the vocabulary. Byte-level
//! BPE learns that table from text: it starts from the 256 bytes and keeps joining the pair of neighbours that
//! occurs most often. Every string has an encoding, and decoding gives the same string back. Published tables over characters
//! (SentencePiece) are read and applied too, not trained.
//!
//! The map, in reading order:
//!
//! | file | what it holds |
//! |---|---|
//! | [`pretokenize`](mod@pretokenize) | text cut into words, which no token crosses: the published patterns |
//! | [`char_class`] | letters, digits and white space in one look-up |
//! | `scan` | the patterns matched by hand |
//! | [`bytes_to_unicode`] | the 256 bytes as printable characters, and their order |
//! | [`recount`] | training, the slow way that fits on a page |
//! | [`train`], `learner` | the same merges, with counts that are kept up to date |
//! | [`tokenizer`](mod@tokenizer) | the table: tokens, merges, look-ups |
//! | [`encode`], `merge`, `rank_queue`, `cache` | merges applied to new text, in order of rank |
//! | `characters`, `spaces` | the other family's first symbols, and where it puts spaces (Llama 2, Mistral) |
//! | [`decode`] | ids to text, also one id at a time |
//! | [`special`], `added` | tokens that text cannot spell, and others that are searched for |
//! | [`file`](mod@file), [`pipeline`] | `tokenizer.json`, which Hugging Face's `tokenizers` opens too |
//! | [`gguf`], [`tiktoken`] | the tables in a GGUF file and in a file of ranks |
//! | [`report`](mod@report), [`probes`] | how good a vocabulary is on a text, and on languages, code and digits |
//!
//! Ids and merges equal those of the `tokenizers` crate (`BpeTrainer` with the `ByteLevel` alphabet); the tests hold that.
//!
//! Sources: Sennrich et al., arXiv 1508.07909 (BPE for words); Radford et al. 2019 (GPT-2, over bytes).

mod added;
pub mod bytes_to_unicode;
mod cache;
pub mod char_class;
mod characters;
pub mod decode;
pub mod encode;
pub mod error;
pub mod file;
pub mod gguf;
mod learner;
mod merge;
pub mod pipeline;
pub mod pretokenize;
pub mod probes;
mod rank_queue;
pub mod recount;
pub mod report;
mod scan;
mod spaces;
pub mod special;
pub mod tiktoken;
pub mod tokenizer;
pub mod tour;
pub mod train;

pub use decode::DecodeStream;
pub use error::TokenizerError;
pub use pretokenize::{Digits, Pattern, PreTokenizer, pretokenize};
pub use report::{VocabReport, report};
pub use special::{ASSISTANT, END, END_OF_TEXT, SPECIAL_TOKENS, USER};
pub use tokenizer::Tokenizer;
pub use tour::tour;
pub use train::{Stop, TrainConfig, TrainSummary};
