//! The tokenizer in a GGUF file, llama.cpp's format for a model in one file.
//!
//! A GGUF file begins with key-value pairs; behind them lie the tensors, which are not read here. The tokenizer is a few of
//! the pairs:
//!
//! | key | value |
//! |---|---|
//! | `tokenizer.ggml.model` | `gpt2` for BPE over bytes, `llama` over characters (SentencePiece); others are refused |
//! | `tokenizer.ggml.pre` | `gpt2`: a name for how text is cut; the pattern itself is not in the file |
//! | `tokenizer.ggml.tokens` | each id's token, in GPT-2's visible characters, or with `▁` for a space |
//! | `tokenizer.ggml.token_type` | 1: made by merges; 2: unknown; 3: special; 4: added, but ordinary; 5: no token; 6: a byte, `<0xNN>` |
//! | `tokenizer.ggml.merges` | `gpt2`: `"left right"`, by rank |
//! | `tokenizer.ggml.scores` | `llama`: what is joined first ([`scores`]) |
//! | `tokenizer.ggml.add_space_prefix` | `llama`: whether texts get a space in front; yes, if it does not say |
//!
//! The container itself is read by [`header`], for this chapter and for chapter 6, and written by `write`.
//!
//! Sources: ggml, `docs/gguf.md`; llama.cpp, `llama-vocab.cpp`, for the names of patterns.

pub mod header;
mod scores;
mod vocabulary;
mod write;

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

pub use header::{DamagedHeader, Header, TensorInfo, Value};

use crate::{
    Digits, Pattern, PreTokenizer, Tokenizer, TokenizerError,
    added::AddedToken,
    characters::Characters,
    file::{MergeText, assemble, assemble_ranked},
    pipeline::{Normalizer, Pipeline, Symbols, Template},
    spaces::SpaceParts,
};
use header::Reader;
use scores::merges_of_scores;

impl Tokenizer {
    /// Reads the tokenizer of a GGUF file; its tensors are not touched.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_gguf(path: impl AsRef<Path>) -> Result<Self, TokenizerError> {
        let path = path.as_ref();
        let cannot_read = |source| TokenizerError::io("read", path, source);
        let file = File::open(path).map_err(cannot_read)?;
        let n_bytes = file.metadata().map_err(cannot_read)?.len();
        Self::read_gguf(BufReader::new(file), n_bytes, path)
    }

    /// Reads a GGUF file of `n_bytes` from `source`; `path` is for messages.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn read_gguf(source: impl Read, n_bytes: u64, path: &Path) -> Result<Self, TokenizerError> {
        let damaged = |reason: String| TokenizerError::damaged(path, reason);
        let (_, metadata) = Reader { source, left: n_bytes }.metadata().map_err(damaged)?;
        Self::from_gguf(metadata, path)
    }

    /// Puts together the tokenizer that these pairs describe; `path` is for messages.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_gguf(metadata: BTreeMap<String, Value>, path: &Path) -> Result<Self, TokenizerError> {
        let damaged = |reason: String| TokenizerError::damaged(path, reason);
        let ours = |(key, value): (String, Value)| Some((key.strip_prefix(PREFIX)?.to_owned(), value));
        let mut metadata: BTreeMap<String, Value> = metadata.into_iter().filter_map(ours).collect();
        let pipeline = pipeline(&metadata).map_err(|what| TokenizerError::unsupported(path, what))?;
        let mut take = |key: &str| metadata.remove(key).ok_or_else(|| damaged(format!("{PREFIX}{key} is missing")));
        let wrong = |key: &str| damaged(format!("{PREFIX}{key} has values of another type"));
        let Value::Texts(tokens) = take("tokens")? else { return Err(wrong("tokens")) };
        let Value::Integers(types) = take("token_type")? else { return Err(wrong("token_type")) };
        if types.len() != tokens.len() {
            return Err(damaged(format!("it has {} tokens but {} token types", tokens.len(), types.len())));
        }
        let has_scores = matches!(pipeline.symbols, Symbols::Characters(_));
        let typed = || (0_u32..).zip(&tokens).zip(&types);
        let added = typed().filter_map(|((id, text), &kind)| {
            let special = AddedToken::special(text, id);
            match kind {
                CONTROL => Some(special),
                UNKNOWN if has_scores => Some(special),
                USER_DEFINED => Some(AddedToken { special: false, ..special }),
                _ => None,
            }
        });
        let added = added.collect();
        // Ids that only fill up the model's table are no tokens.
        let vocab = typed().filter(|(_, kind)| **kind != UNUSED).map(|((id, text), _)| (text.clone(), id)).collect();
        if !has_scores {
            let Value::Texts(merges) = take("merges")? else { return Err(wrong("merges")) };
            let merges: Vec<MergeText> = merges.into_iter().map(MergeText::Line).collect();
            return assemble(path, vocab, &merges, added, pipeline);
        }
        let Value::Numbers(scores) = take("scores")? else { return Err(wrong("scores")) };
        if scores.len() != tokens.len() {
            return Err(damaged(format!("it has {} tokens but {} scores", tokens.len(), scores.len())));
        }
        let joined = typed().zip(&scores).filter(|((_, kind), _)| is_joined(**kind));
        let joined: Vec<_> = joined.map(|(((id, text), _), &score)| (text.as_str(), score, id)).collect();
        let merges = merges_of_scores(&joined).map_err(damaged)?;
        assemble_ranked(path, vocab, merges, added, pipeline)
    }
}

/// Kinds of tokens that are not found by merging.
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;
/// Kinds that are: tokens of the merges, and ids that no token has.
const NORMAL: i64 = 1;
const UNUSED: i64 = 5;
/// Kinds that a table with scores has besides.
const UNKNOWN: i64 = 2;
const BYTE: i64 = 6;

/// Whether a token of a table with scores is made by joining, and joined to others.
fn is_joined(kind: i64) -> bool {
    matches!(kind, NORMAL | USER_DEFINED)
}

// ANCHOR: pre
/// What llama.cpp's name for a way to cut text stands for.
///
/// # Errors
/// The name and value of what is not supported.
fn pipeline(metadata: &BTreeMap<String, Value>) -> Result<Pipeline, String> {
    let text = |key: &str| match metadata.get(key) {
        Some(Value::Text(text)) => Ok(text.as_str()),
        _ => Err(format!("a {PREFIX}{key}, which it does not have,")),
    };
    let mut pipeline = match text("model")? {
        "gpt2" => bytes(text("pre")?)?,
        "llama" => characters(metadata)?,
        model => {
            return Err(format!(
                "{PREFIX}model {model:?} (gpt2 is BPE over bytes, llama over characters; t5 is Unigram)"
            ));
        }
    };
    let has_scores = matches!(pipeline.symbols, Symbols::Characters(_));
    let begins = match metadata.get("add_bos_token") {
        Some(Value::Flag(begins)) => *begins,
        _ => pipeline.whole_words_first || has_scores,
    };
    let bos = match metadata.get("bos_token_id") {
        Some(Value::Integer(bos)) => Some(*bos),
        _ => has_scores.then_some(DEFAULT_BOS),
    };
    if let (true, Some(bos), Some(Value::Texts(tokens))) = (begins, bos, metadata.get("tokens")) {
        let id = u32::try_from(bos).map_err(|_| format!("{PREFIX}bos_token_id {bos}"))?;
        let token = tokens.get(id as usize).ok_or_else(|| format!("{PREFIX}bos_token_id {bos}"))?;
        pipeline.template = Template::begin_with(token, id);
    }
    Ok(pipeline)
}

/// A table of bytes, whose way to cut text has a name.
fn bytes(pre: &str) -> Result<Pipeline, String> {
    let with =
        |pattern| Pipeline { pretokenizer: PreTokenizer { pattern, ..Default::default() }, ..Default::default() };
    Ok(match pre {
        "gpt-2" => with(Pattern::Gpt2),
        "smollm" | "starcoder" | "refact" | "command-r" => Pipeline {
            pretokenizer: PreTokenizer { digits: Digits::Singly, pattern: Pattern::Gpt2 },
            ..Default::default()
        },
        "llama-bpe" | "llama3" | "llama-v3" => Pipeline { whole_words_first: true, ..with(Pattern::Llama3) },
        "qwen2" => Pipeline { normalizer: Normalizer::Nfc, ..with(Pattern::Qwen2) },
        "gpt-4o" => with(Pattern::O200k),
        _ => return Err(format!("{PREFIX}pre {pre:?}")),
    })
}

/// A table of characters. llama.cpp puts its space in front of every text between special tokens, as the older `tokenizer.json` does.
fn characters(metadata: &BTreeMap<String, Value>) -> Result<Pipeline, String> {
    let has_prefix = metadata.get("add_space_prefix") != Some(&Value::Flag(false));
    let spaces = SpaceParts::older(has_prefix).read()?;
    let unknown = match metadata.get("unknown_token_id") {
        Some(Value::Integer(id)) => u32::try_from(*id).ok(),
        _ => None,
    };
    let characters = Characters { spaces, byte_fallback: true, fuse_unknown: true };
    Ok(Pipeline { symbols: Symbols::Characters(Box::new(characters)), unknown, ..Pipeline::default() })
}
// ANCHOR_END: pre

/// The id of `<s>` where a table with scores does not say it.
const DEFAULT_BOS: i64 = 1;

const PREFIX: &str = "tokenizer.ggml.";
