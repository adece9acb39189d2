//! `tokenizer.json`, the format of Hugging Face's `tokenizers`: others' programs open ours, and we open theirs.
//!
//! Saving writes a temporary file beside the target, flushes it to the disk and renames it: whoever looks sees the old
//! file or the new one, never half of one.
//!
//! Loading reads the files of GPT-2, Llama 3, SmolLM2, Qwen2 and others of their make, and those of Llama 2, TinyLlama, Mistral and Gemma.
//! It refuses, by name, everything that would change ids and that this chapter does not implement: other models than BPE (T5's Unigram),
//! parts of the pipeline that [`pipeline`](mod@crate::pipeline) and `spaces` do not know, truncation, padding and dropout.
//!
//! Source: `tokenizers` 0.23, `src/models/bpe/serialization.rs` and `src/tokenizer/serialization.rs`.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::Write,
    path::Path,
};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    PreTokenizer, Tokenizer, TokenizerError,
    added::{AddedToken, AddedTokens},
    characters::Characters,
    pipeline::{Normalizer, Pipeline, Symbols, Template, check_decoder},
    spaces::SpaceParts,
    tokenizer::{Merge, Pair, Parts},
};

impl Tokenizer {
    /// Reads a tokenizer of any kind that this chapter knows: a folder with `tokenizer.json`, that file, a `.gguf` file, or a
    /// published `.tiktoken` file.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn open(path: impl AsRef<Path>) -> Result<Self, TokenizerError> {
        let path = path.as_ref();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("gguf") => Self::load_gguf(path),
            Some("tiktoken") => Self::load_published_tiktoken(path),
            _ if path.is_dir() => Self::load(path.join("tokenizer.json")),
            _ => Self::load(path),
        }
    }

    /// Writes `tokenizer.json`, complete or not at all.
    ///
    /// # Errors
    /// What the system says when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), TokenizerError> {
        let path = path.as_ref();
        write_then_rename(path, format!("{:#}\n", self.to_json()).as_bytes())
    }

    /// Reads `tokenizer.json`.
    ///
    /// # Errors
    /// [`TokenizerError::Io`], [`TokenizerError::Damaged`] with the reason, or [`TokenizerError::Unsupported`] with the
    /// part that this chapter does not implement.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, TokenizerError> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(|source| TokenizerError::io("read", path, source))?;
        let value: Value = serde_json::from_slice(&bytes).map_err(|e| damaged(path, format!("not JSON: {e}")))?;
        let Some(kind) = value.pointer("/model/type") else {
            return Err(damaged(path, "it has no model with a type".to_string()));
        };
        if kind != "BPE" {
            return Err(unsupported(path, format!("model type {kind}")));
        }
        let file: TokenizerFile = serde_json::from_value(value).map_err(|e| damaged(path, e.to_string()))?;
        let pipeline = file.pipeline().map_err(|what| unsupported(path, what))?;
        assemble(path, file.model.vocab, &file.model.merges, file.added_tokens, pipeline)
    }
}

// ANCHOR: to_json
impl Tokenizer {
    /// The file's content; what is null or false is what we do not use.
    fn to_json(&self) -> Value {
        let in_model = |id: &u32| match self.added().by_id(*id) {
            Some(token) => token.in_model,
            None => self.token_bytes(*id).is_some(),
        };
        let ids = (0..self.vocab_size() as u32).filter(in_model);
        let vocab: Map<String, Value> = ids.map(|id| (self.written(id), id.into())).collect();
        let merges = self.merges().iter().map(|&(left, right)| [self.written(left), self.written(right)]);
        let Pipeline { whole_words_first, template, unknown, .. } = self.pipeline();
        let (parts, byte_fallback, fuse_unk) = self.pipeline().to_json();
        json!({
            "version": "1.0",
            "truncation": null,
            "padding": null,
            "added_tokens": self.added().all(),
            "normalizer": parts.normalizer,
            "pre_tokenizer": parts.pre_tokenizer,
            "post_processor": template.to_json(),
            "decoder": parts.decoder,
            "model": {
                "type": "BPE",
                "dropout": null,
                "unk_token": unknown.map(|id| self.written(id)),
                "continuing_subword_prefix": null,
                "end_of_word_suffix": null,
                "fuse_unk": fuse_unk,
                "byte_fallback": byte_fallback,
                "ignore_merges": whole_words_first,
                "vocab": vocab,
                "merges": merges.collect::<Vec<_>>(),
            },
        })
    }
}
// ANCHOR_END: to_json

fn write_then_rename(path: &Path, bytes: &[u8]) -> Result<(), TokenizerError> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".tmp-{}", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&temporary, path)).map_err(|source| {
        // Best effort: the error to report is the first one.
        let _ = fs::remove_file(&temporary);
        TokenizerError::io("write", path, source)
    })
}

#[derive(Deserialize)]
struct TokenizerFile {
    #[serde(default)]
    truncation: Value,
    #[serde(default)]
    padding: Value,
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    post_processor: Value,
    #[serde(default)]
    decoder: Value,
    model: ModelFile,
}

#[derive(Deserialize)]
struct ModelFile {
    #[serde(default)]
    dropout: Value,
    #[serde(default)]
    continuing_subword_prefix: Option<String>,
    #[serde(default)]
    end_of_word_suffix: Option<String>,
    #[serde(default)]
    unk_token: Option<String>,
    #[serde(default)]
    fuse_unk: bool,
    #[serde(default)]
    byte_fallback: bool,
    #[serde(default)]
    ignore_merges: bool,
    vocab: HashMap<String, u32>,
    merges: Vec<MergeText>,
}

/// Newer files write `["a", "b"]`, older ones `"a b"`.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum MergeText {
    Pair(String, String),
    Line(String),
}

impl MergeText {
    fn parts(&self) -> Option<(&str, &str)> {
        match self {
            Self::Pair(left, right) => Some((left, right)),
            Self::Line(line) => line.split_once(' '),
        }
    }
}

impl TokenizerFile {
    /// # Errors
    /// The part that is not supported.
    fn pipeline(&self) -> Result<Pipeline, String> {
        let absent = [("truncation", &self.truncation), ("padding", &self.padding), ("dropout", &self.model.dropout)];
        if let Some((name, value)) = absent.iter().find(|(_, value)| !value.is_null()) {
            return Err(format!("{name} {value}"));
        }
        let is_set = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        if let Some(token) = self.added_tokens.iter().find(|token| token.single_word) {
            return Err(format!("the added token {:?} with single_word", token.content));
        }
        let spaces = SpaceParts {
            normalizer: self.normalizer.clone(),
            pre_tokenizer: self.pre_tokenizer.clone(),
            decoder: self.decoder.clone(),
        };
        let has_characters = spaces.are_about_marks();
        let flags = [
            ("fuse_unk", self.model.fuse_unk && self.model.unk_token.is_some() && !has_characters),
            ("byte_fallback over bytes", self.model.byte_fallback && !has_characters),
            ("ignore_merges over characters", self.model.ignore_merges && has_characters),
            ("continuing_subword_prefix", is_set(&self.model.continuing_subword_prefix)),
            ("end_of_word_suffix", is_set(&self.model.end_of_word_suffix)),
        ];
        if let Some((name, _)) = flags.iter().find(|(_, set)| *set) {
            return Err(format!("the model's {name}"));
        }
        let unknown = self.model.unk_token.as_ref().and_then(|token| self.model.vocab.get(token)).copied();
        let template = Template::from_json(&self.post_processor)?;
        if has_characters {
            let (byte_fallback, fuse_unknown) = (self.model.byte_fallback, self.model.fuse_unk);
            let characters = Characters { spaces: spaces.read()?, byte_fallback, fuse_unknown };
            let symbols = Symbols::Characters(Box::new(characters));
            return Ok(Pipeline { symbols, template, unknown, ..Pipeline::default() });
        }
        check_decoder(&self.decoder)?;
        Ok(Pipeline {
            symbols: Symbols::Bytes,
            normalizer: Normalizer::from_json(&self.normalizer)?,
            pretokenizer: PreTokenizer::from_json(&self.pre_tokenizer)?,
            whole_words_first: self.model.ignore_merges,
            template,
            unknown,
        })
    }
}

/// Puts a tokenizer together from tables of visible characters, which is what `tokenizer.json` and GGUF hold.
pub(crate) fn assemble(
    path: &Path,
    vocab: HashMap<String, u32>,
    merges: &[MergeText],
    added: Vec<AddedToken>,
    pipeline: Pipeline,
) -> Result<Tokenizer, TokenizerError> {
    let merges = merge_ids(path, &vocab, merges)?;
    assemble_ranked(path, vocab, merges, added, pipeline)
}

/// The same, with merges that are ids already.
pub(crate) fn assemble_ranked(
    path: &Path,
    vocab: HashMap<String, u32>,
    merges: Vec<(Pair, Merge)>,
    mut added: Vec<AddedToken>,
    pipeline: Pipeline,
) -> Result<Tokenizer, TokenizerError> {
    for token in &mut added {
        token.in_model = vocab.contains_key(&token.content);
    }
    let added = AddedTokens::new(added, &pipeline).map_err(|error| damaged(path, error.to_string()))?;
    let (tokens, byte_tokens) = tokens_by_id(vocab, added.all(), &pipeline, path)?;
    check_products(&merges, &tokens).map_err(|reason| damaged(path, reason))?;
    Tokenizer::from_parts(Parts { tokens, byte_tokens, merges, added, pipeline })
        .map_err(|missing| damaged(path, format!("the vocabulary has no token for byte 0x{:02X}", missing.0)))
}

fn merge_ids(
    path: &Path,
    vocab: &HashMap<String, u32>,
    merges: &[MergeText],
) -> Result<Vec<(Pair, Merge)>, TokenizerError> {
    let id_of = |token: &str, n: u32| {
        let id = vocab.get(token).copied();
        id.ok_or_else(|| damaged(path, format!("merge {n} needs {token:?}, which is not in the vocabulary")))
    };
    let to_ids = |(rank, merge): (u32, &MergeText)| {
        let parts = merge.parts();
        let (left, right) = parts.ok_or_else(|| damaged(path, format!("merge {rank} does not name two tokens")))?;
        let pair = (id_of(left, rank)?, id_of(right, rank)?);
        Ok((pair, Merge { rank, new_id: id_of(&format!("{left}{right}"), rank)? }))
    };
    (0..).zip(merges).map(to_ids).collect()
}

/// A merge may not change the text. It would if its product is an added token, whose text stands for itself: `Ġ` is a space in a token of the model and
/// the letter Ġ in an added one.
fn check_products(merges: &[(Pair, Merge)], tokens: &[Vec<u8>]) -> Result<(), String> {
    let bytes = |id: u32| String::from_utf8_lossy(&tokens[id as usize]);
    let is_product = |&((left, right), merge): &(Pair, Merge)| {
        let parts = [left, right].map(|id| tokens[id as usize].as_slice());
        parts.concat() == tokens[merge.new_id as usize]
    };
    match merges.iter().find(|merge| !is_product(merge)) {
        None => Ok(()),
        Some(&((left, right), Merge { rank, new_id })) => {
            let (left, right, product) = (bytes(left), bytes(right), bytes(new_id));
            Err(format!("merge {rank} makes {product:?} of {left:?} and {right:?}, which is another text"))
        }
    }
}

/// A file may leave out ids, but hardly half of them; a single wild one must not ask for gigabytes.
const MAX_IDS_PER_TOKEN: usize = 2;

/// The bytes of each token, by id, empty where the file has none; and which of them are the tokens of single bytes.
fn tokens_by_id(
    vocab: HashMap<String, u32>,
    added: &[AddedToken],
    pipeline: &Pipeline,
    path: &Path,
) -> Result<TokensById, TokenizerError> {
    let mut text_by_id: HashMap<u32, String> = HashMap::with_capacity(vocab.len());
    let in_file = vocab.into_iter().chain(added.iter().map(|token| (token.content.clone(), token.id)));
    for (text, id) in in_file {
        if let Some(other) = text_by_id.insert(id, text.clone())
            && other != text
        {
            return Err(damaged(path, format!("{other:?} and {text:?} share the id {id}")));
        }
    }
    let added: HashMap<u32, &AddedToken> = added.iter().map(|token| (token.id, token)).collect();
    let n_tokens = text_by_id.len();
    let n_ids = text_by_id.keys().max().map_or(0, |&largest| largest as usize + 1);
    if n_ids > n_tokens * MAX_IDS_PER_TOKEN {
        return Err(damaged(path, format!("its largest id is {}, but it has {n_tokens} tokens", n_ids - 1)));
    }
    let (mut tokens, mut byte_tokens) = (vec![Vec::new(); n_ids], Vec::new());
    for (id, text) in text_by_id {
        if let Some(token) = added.get(&id) {
            tokens[id as usize] = pipeline.bytes_of_added(token);
            continue;
        }
        let (bytes, byte) = pipeline.symbols.read_token(&text).map_err(|reason| damaged(path, reason))?;
        tokens[id as usize] = bytes;
        byte_tokens.extend(byte.map(|byte| (byte, id)));
    }
    Ok((tokens, byte_tokens))
}

type TokensById = (Vec<Vec<u8>>, Vec<(u8, u32)>);

fn damaged(path: &Path, reason: String) -> TokenizerError {
    TokenizerError::damaged(path, reason)
}

fn unsupported(path: &Path, what: String) -> TokenizerError {
    TokenizerError::unsupported(path, what)
}
