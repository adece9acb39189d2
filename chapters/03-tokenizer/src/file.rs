//! `tokenizer.json`, the format of Hugging Face's `tokenizers`: others' programs open ours, and we open theirs.
//!
//! Saving writes a temporary file beside the target, flushes it to the disk and renames it: whoever looks sees the old
//! file or the new one, never half of one.
//!
//! Loading refuses, by name, everything that would change ids and that this chapter does not implement: other models
//! than byte-level BPE, normalizers, other pre-tokenizers (Llama 3 and SmolLM2 have their own), post-processors that add
//! tokens, truncation, padding, dropout, and added tokens that are not special or that eat white space around them.
//!
//! Source: `tokenizers` 0.23, `src/models/bpe/serialization.rs` and `src/tokenizer/serialization.rs`.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    Tokenizer, TokenizerError,
    bytes_to_unicode::{from_visible, to_visible},
    special::Specials,
    tokenizer::Pair,
};

impl Tokenizer {
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
        let kind = value.pointer("/model/type").unwrap_or(&Value::Null);
        if kind != "BPE" {
            return Err(unsupported(path, format!("model type {kind}")));
        }
        let file: TokenizerFile = serde_json::from_value(value).map_err(|e| damaged(path, e.to_string()))?;
        file.refuse_unsupported(path)?;
        file.into_tokenizer(path)
    }
}

// ANCHOR: to_json
impl Tokenizer {
    /// The file's content; what is null or false is what we do not use.
    fn to_json(&self) -> Value {
        let visible = |id: u32| -> String {
            match self.token_of(id).filter(|_| self.is_special(id)) {
                Some(special) => special,
                None => to_visible(self.token_bytes(id).unwrap_or_default()),
            }
        };
        let added = self.special_tokens().into_iter().map(|(content, id)| AddedToken::special(content, id));
        let vocab: Map<String, Value> = (0..self.vocab_size() as u32).map(|id| (visible(id), id.into())).collect();
        let merges = self.merges().iter().map(|&(left, right)| [visible(left), visible(right)]);
        let byte_level = json!({
            "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true
        });
        json!({
            "version": "1.0",
            "truncation": null,
            "padding": null,
            "added_tokens": added.collect::<Vec<_>>(),
            "normalizer": null,
            "pre_tokenizer": byte_level,
            "post_processor": null,
            "decoder": byte_level,
            "model": {
                "type": "BPE",
                "dropout": null,
                "unk_token": null,
                "continuing_subword_prefix": null,
                "end_of_word_suffix": null,
                "fuse_unk": false,
                "byte_fallback": false,
                "ignore_merges": false,
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

#[derive(Serialize, Deserialize)]
struct AddedToken {
    id: u32,
    content: String,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
    #[serde(default)]
    normalized: bool,
    #[serde(default)]
    special: bool,
}

impl AddedToken {
    fn special(content: &str, id: u32) -> Self {
        let content = content.to_owned();
        Self { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }
    }
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
    byte_fallback: bool,
    #[serde(default)]
    ignore_merges: bool,
    vocab: HashMap<String, u32>,
    merges: Vec<MergeFile>,
}

/// Newer files write `["a", "b"]`, older ones `"a b"`.
#[derive(Deserialize)]
#[serde(untagged)]
enum MergeFile {
    Pair(String, String),
    Line(String),
}

impl MergeFile {
    fn parts(&self) -> Option<(&str, &str)> {
        match self {
            Self::Pair(left, right) => Some((left, right)),
            Self::Line(line) => line.split_once(' '),
        }
    }
}

impl TokenizerFile {
    fn refuse_unsupported(&self, path: &Path) -> Result<(), TokenizerError> {
        let absent = [
            ("normalizer", &self.normalizer),
            ("truncation", &self.truncation),
            ("padding", &self.padding),
            ("dropout", &self.model.dropout),
        ];
        for (name, value) in absent {
            if !value.is_null() {
                return Err(unsupported(path, format!("{name} {value}")));
            }
        }
        let pre = &self.pre_tokenizer;
        let default_true = |name: &str| pre.get(name).is_none_or(|value| value == true);
        if pre["type"] != "ByteLevel" || pre["add_prefix_space"] != false || !default_true("use_regex") {
            return Err(unsupported(path, format!("pre_tokenizer {pre}")));
        }
        if !(self.post_processor.is_null() || self.post_processor["type"] == "ByteLevel") {
            return Err(unsupported(path, format!("post_processor {}", self.post_processor)));
        }
        if self.decoder["type"] != "ByteLevel" {
            return Err(unsupported(path, format!("decoder {}", self.decoder)));
        }
        let is_set = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        let flags = [
            ("continuing_subword_prefix", is_set(&self.model.continuing_subword_prefix)),
            ("end_of_word_suffix", is_set(&self.model.end_of_word_suffix)),
            ("byte_fallback", self.model.byte_fallback),
            ("ignore_merges", self.model.ignore_merges),
        ];
        if let Some((name, _)) = flags.iter().find(|(_, set)| *set) {
            return Err(unsupported(path, format!("the model's {name}")));
        }
        match self.added_tokens.iter().find(|t| !t.special || t.single_word || t.lstrip || t.rstrip) {
            Some(token) => Err(unsupported(path, format!("the added token {:?} with its flags", token.content))),
            None => Ok(()),
        }
    }

    fn into_tokenizer(self, path: &Path) -> Result<Tokenizer, TokenizerError> {
        let merges = self.model.merge_ids(path)?;
        let special_ids: Vec<(String, u32)> = self.added_tokens.into_iter().map(|t| (t.content, t.id)).collect();
        let specials = Specials::new(&special_ids).map_err(|error| damaged(path, error.to_string()))?;
        let tokens = tokens_by_id(self.model.vocab, &special_ids, path)?;
        Tokenizer::from_parts(tokens, &merges, specials)
            .map_err(|missing| damaged(path, format!("the vocabulary has no token for byte 0x{:02X}", missing.0)))
    }
}

impl ModelFile {
    fn merge_ids(&self, path: &Path) -> Result<Vec<(Pair, u32)>, TokenizerError> {
        let id_of = |token: &str, n: usize| {
            let id = self.vocab.get(token).copied();
            id.ok_or_else(|| damaged(path, format!("merge {n} needs {token:?}, which is not in the vocabulary")))
        };
        let to_ids = |(n, merge): (usize, &MergeFile)| {
            let parts = merge.parts();
            let (left, right) = parts.ok_or_else(|| damaged(path, format!("merge {n} does not name two tokens")))?;
            Ok(((id_of(left, n)?, id_of(right, n)?), id_of(&format!("{left}{right}"), n)?))
        };
        self.merges.iter().enumerate().map(to_ids).collect()
    }
}

/// The bytes of each token, by id. Ids must be 0, 1, 2 … without a gap.
fn tokens_by_id(
    vocab: HashMap<String, u32>,
    special_ids: &[(String, u32)],
    path: &Path,
) -> Result<Vec<Vec<u8>>, TokenizerError> {
    let mut text_by_id: HashMap<u32, String> = HashMap::with_capacity(vocab.len());
    let in_file = vocab.into_iter().chain(special_ids.iter().cloned());
    for (text, id) in in_file {
        if let Some(other) = text_by_id.insert(id, text.clone())
            && other != text
        {
            return Err(damaged(path, format!("{other:?} and {text:?} share the id {id}")));
        }
    }
    let specials: HashMap<u32, &str> = special_ids.iter().map(|(text, id)| (*id, text.as_str())).collect();
    let bytes_of = |id: u32| match (specials.get(&id), text_by_id.get(&id)) {
        (Some(special), _) => Ok(special.as_bytes().to_vec()),
        (None, Some(text)) => {
            from_visible(text).map_err(|c| damaged(path, format!("token {text:?} has {c:?}, which stands for no byte")))
        }
        (None, None) => Err(damaged(path, format!("no token has the id {id}"))),
    };
    (0..text_by_id.len() as u32).map(bytes_of).collect()
}

fn damaged(path: &Path, reason: String) -> TokenizerError {
    TokenizerError::Damaged { path: PathBuf::from(path), reason }
}

fn unsupported(path: &Path, what: String) -> TokenizerError {
    TokenizerError::Unsupported { path: PathBuf::from(path), what }
}
