//! The tokenizer in a GGUF file, llama.cpp's format for a model in one file.
//!
//! A GGUF file begins with key-value pairs; behind them lie the tensors, which are not read here. The tokenizer is a few of
//! the pairs:
//!
//! | key | value |
//! |---|---|
//! | `tokenizer.ggml.model` | `gpt2` for byte-level BPE; `llama` (SentencePiece) and others are refused |
//! | `tokenizer.ggml.pre` | a name for how text is cut; the pattern itself is not in the file |
//! | `tokenizer.ggml.tokens` | each id's token, in GPT-2's visible characters |
//! | `tokenizer.ggml.token_type` | 3: special; 4: added, but ordinary |
//! | `tokenizer.ggml.merges` | `"left right"`, by rank |
//!
//! ```text
//! file:  "GGUF" version:u32 n_tensors:u64 n_pairs:u64 pair…       (little-endian)
//! pair:  key:string type:u32 value        string: n_bytes:u64 bytes        array: type:u32 n:u64 value…
//! ```
//!
//! A file may lie about its sizes, so no count is believed: a string or an array must fit in the bytes that are left, and
//! nothing is allocated before it was read.
//!
//! Sources: ggml, `docs/gguf.md`; llama.cpp, `llama-vocab.cpp`, for the names of patterns.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

use crate::{
    Digits, Pattern, PreTokenizer, Tokenizer, TokenizerError,
    added::AddedToken,
    file::{MergeText, assemble},
    pipeline::{Normalizer, Pipeline, Template},
};

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
        let mut metadata = Reader { source, left: n_bytes }.metadata().map_err(damaged)?;
        let pipeline = pipeline(&metadata).map_err(|what| TokenizerError::unsupported(path, what))?;
        let mut take = |key: &str| metadata.remove(key).ok_or_else(|| damaged(format!("{PREFIX}{key} is missing")));
        let wrong = |key: &str| damaged(format!("{PREFIX}{key} has values of another type"));
        let Value::Texts(tokens) = take("tokens")? else { return Err(wrong("tokens")) };
        let Value::Texts(merges) = take("merges")? else { return Err(wrong("merges")) };
        let Value::Integers(types) = take("token_type")? else { return Err(wrong("token_type")) };
        if types.len() != tokens.len() {
            return Err(damaged(format!("it has {} tokens but {} token types", tokens.len(), types.len())));
        }
        let typed = || (0..).zip(&tokens).zip(&types);
        let added = typed().filter_map(|((id, text), &kind)| {
            let special = AddedToken::special(text, id);
            match kind {
                CONTROL => Some(special),
                USER_DEFINED => Some(AddedToken { special: false, ..special }),
                _ => None,
            }
        });
        let added = added.collect();
        let vocab = (0..).zip(tokens).map(|(id, text)| (text, id)).collect();
        let merges: Vec<MergeText> = merges.into_iter().map(MergeText::Line).collect();
        assemble(path, vocab, &merges, added, pipeline)
    }
}

/// Kinds of tokens that are not found by merging.
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;

// ANCHOR: pre
/// What llama.cpp's name for a way to cut text stands for.
///
/// # Errors
/// The name and value of what is not supported.
fn pipeline(metadata: &HashMap<String, Value>) -> Result<Pipeline, String> {
    let text = |key: &str| match metadata.get(key) {
        Some(Value::Text(text)) => Ok(text.as_str()),
        _ => Err(format!("a {PREFIX}{key}, which it does not have,")),
    };
    let model = text("model")?;
    if model != "gpt2" {
        return Err(format!("{PREFIX}model {model:?} (gpt2 is byte-level BPE; llama is SentencePiece)"));
    }
    let with =
        |pattern| Pipeline { pretokenizer: PreTokenizer { pattern, ..Default::default() }, ..Default::default() };
    let pre = text("pre")?;
    let mut pipeline = match pre {
        "gpt-2" => with(Pattern::Gpt2),
        "smollm" | "starcoder" | "refact" | "command-r" => Pipeline {
            pretokenizer: PreTokenizer { digits: Digits::Singly, pattern: Pattern::Gpt2 },
            ..Default::default()
        },
        "llama-bpe" | "llama3" | "llama-v3" => Pipeline { whole_words_first: true, ..with(Pattern::Llama3) },
        "qwen2" => Pipeline { normalizer: Normalizer::Nfc, ..with(Pattern::Qwen2) },
        "gpt-4o" => with(Pattern::O200k),
        _ => return Err(format!("{PREFIX}pre {pre:?}")),
    };
    let begins = match metadata.get("add_bos_token") {
        Some(Value::Integer(flag)) => *flag != 0,
        _ => pipeline.whole_words_first,
    };
    if let (true, Some(Value::Integer(bos)), Some(Value::Texts(tokens))) =
        (begins, metadata.get("bos_token_id"), metadata.get("tokens"))
    {
        let id = u32::try_from(*bos).map_err(|_| format!("{PREFIX}bos_token_id {bos}"))?;
        let token = tokens.get(id as usize).ok_or_else(|| format!("{PREFIX}bos_token_id {bos}"))?;
        pipeline.template = Template::begin_with(token, id);
    }
    Ok(pipeline)
}
// ANCHOR_END: pre

const PREFIX: &str = "tokenizer.ggml.";

/// A value as far as tokenizers need it: flags and integers of all widths are one kind.
enum Value {
    Text(String),
    Texts(Vec<String>),
    Integer(i64),
    Integers(Vec<i64>),
    /// Read over.
    Other,
}

// ANCHOR: reader
/// Reads from `source`, of which `left` bytes have not been read.
struct Reader<R> {
    source: R,
    left: u64,
}

/// Types of values, by number.
const BOOL: u32 = 7;
const STRING: u32 = 8;
const ARRAY: u32 = 9;
/// Arrays of arrays of arrays are in no file that anyone made.
const MAX_DEPTH: u32 = 3;

impl<R: Read> Reader<R> {
    /// The pairs whose key begins with [`PREFIX`], without it.
    fn metadata(mut self) -> Result<HashMap<String, Value>, String> {
        if self.bytes::<4>()? != *b"GGUF" {
            return Err("it does not begin with GGUF".to_owned());
        }
        let version = self.u32()?;
        if !matches!(version, 2 | 3) {
            return Err(format!("its version is {version}; 2 and 3 are known"));
        }
        let (_n_tensors, n_pairs) = (self.u64()?, self.u64()?);
        let mut pairs = HashMap::new();
        for _ in 0..n_pairs {
            let (key, kind) = (self.string()?, self.u32()?);
            let value = self.value(kind, 0)?;
            if let Some(name) = key.strip_prefix(PREFIX) {
                pairs.insert(name.to_owned(), value);
            }
        }
        Ok(pairs)
    }

    fn value(&mut self, kind: u32, depth: u32) -> Result<Value, String> {
        match kind {
            STRING => self.string().map(Value::Text),
            ARRAY => self.array(depth),
            _ => self.number(kind),
        }
    }

    fn array(&mut self, depth: u32) -> Result<Value, String> {
        let (kind, n) = (self.u32()?, self.u64()?);
        // Each value takes a byte at least, so the loop ends even when the count is a lie.
        if n > self.left || depth >= MAX_DEPTH {
            return Err(format!(
                "an array of {n} values at depth {depth} does not fit in the {} bytes left",
                self.left
            ));
        }
        let (mut texts, mut integers) = (Vec::new(), Vec::new());
        for _ in 0..n {
            match self.value(kind, depth + 1)? {
                Value::Text(text) => texts.push(text),
                Value::Integer(integer) => integers.push(integer),
                Value::Texts(_) | Value::Integers(_) | Value::Other => {}
            }
        }
        Ok(match kind {
            STRING => Value::Texts(texts),
            _ if integers.len() as u64 == n => Value::Integers(integers),
            _ => Value::Other,
        })
    }

    fn number(&mut self, kind: u32) -> Result<Value, String> {
        Ok(match kind {
            0 => Value::Integer(self.bytes::<1>().map(u8::from_le_bytes)?.into()),
            1 => Value::Integer(self.bytes::<1>().map(i8::from_le_bytes)?.into()),
            2 => Value::Integer(self.bytes::<2>().map(u16::from_le_bytes)?.into()),
            3 => Value::Integer(self.bytes::<2>().map(i16::from_le_bytes)?.into()),
            4 => Value::Integer(self.u32()?.into()),
            5 => Value::Integer(self.bytes::<4>().map(i32::from_le_bytes)?.into()),
            BOOL => Value::Integer(self.bytes::<1>().map(u8::from_le_bytes)?.into()),
            10 => i64::try_from(self.u64()?).map_or(Value::Other, Value::Integer),
            11 => Value::Integer(self.bytes::<8>().map(i64::from_le_bytes)?),
            6 => self.bytes::<4>().map(|_| Value::Other)?,
            12 => self.bytes::<8>().map(|_| Value::Other)?,
            _ => return Err(format!("there is no type {kind}")),
        })
    }

    fn string(&mut self) -> Result<String, String> {
        let n = self.u64()?;
        if n > self.left {
            return Err(format!("a text of {n} bytes does not fit in the {} bytes left", self.left));
        }
        let mut bytes = Vec::new();
        let n_read = self.source.by_ref().take(n).read_to_end(&mut bytes).map_err(ended)? as u64;
        self.left -= n_read;
        if n_read < n {
            return Err(format!("it ends {} bytes into a text of {n}", n_read));
        }
        String::from_utf8(bytes).map_err(|error| format!("a text is not UTF-8: {error}"))
    }

    fn u32(&mut self) -> Result<u32, String> {
        self.bytes().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, String> {
        self.bytes().map(u64::from_le_bytes)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes).map_err(ended)?;
        self.left = self.left.saturating_sub(N as u64);
        Ok(bytes)
    }
}
// ANCHOR_END: reader

fn ended(error: io::Error) -> String {
    format!("its header cannot be read to the end: {error}")
}
