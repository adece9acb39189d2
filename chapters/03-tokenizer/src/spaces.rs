//! SentencePiece's way with spaces: a space is a character like any other, and it is written `▁` (U+2581).
//!
//! Problem: a text that is cut at spaces before it becomes ids cannot be told from its ids: `東京 lamp` and `東京lamp` may give
//! the same. SentencePiece cuts nothing. It writes `▁` for a space, and one more in front of the text, so that a word at the beginning is the same token
//! as the same word later. Decoding writes spaces for `▁` and takes the first one away.
//!
//! Where that first space goes is where implementations differ ([`Prefix`]). Two forms of `tokenizer.json` say it:
//!
//! | part | older (Llama 2, TinyLlama) | newer (Mistral) |
//! |---|---|---|
//! | `normalizer` | `Prepend ▁`, `Replace " "` by `▁`; Gemma has the second alone | none |
//! | `pre_tokenizer` | none, or (Gemma) a `Split` at spaces that are no longer there | `Metaspace` with `prepend_scheme` |
//! | `decoder` | `Replace ▁` by `" "`, `ByteFallback`, `Fuse`, `Strip` one space in front | the same |
//!
//! Here texts and tokens keep their spaces: `▁` stands in files alone. So a `▁` in a text is a space to the encoder, as it is for the others,
//! and comes back as one. Everything else is refused by name, also `Metaspace` with `split`, which cuts at every space.
//!
//! Sources: Kudo and Richardson 2018, arXiv 1808.06226, section 3; `tokenizers` 0.23, `src/pre_tokenizers/metaspace.rs`,
//! `src/normalizers/prepend.rs`.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::pipeline::{short, stages};

/// What stands for a space in files.
pub(crate) const SPACE_MARK: &str = "▁";

// ANCHOR: prefix
/// Where a space is put in front of text that has none in the original.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prefix {
    /// Nowhere (Gemma).
    Nowhere,
    /// In front of every text between added tokens, whatever it begins with (Llama 2).
    EveryPiece,
    /// The same, unless it begins with a space (`Metaspace`, `always`).
    EveryPieceWithoutSpace,
    /// The same, and only where the whole text begins (Mistral: `Metaspace`, `first`).
    StartWithoutSpace,
}

/// Whether a piece begins the text that a caller encodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    Start,
    Inside,
}

/// The spaces that a text gets and loses on its way to ids and back.
#[derive(Debug, Clone)]
pub(crate) struct Spaces {
    pub(crate) prefix: Prefix,
    /// Whether decoding takes one space away where a text begins.
    pub(crate) strip_first: bool,
    /// The parts of the file, to be written again as they were.
    parts: SpaceParts,
}

impl Spaces {
    /// What a normalizer does, before the added tokens that want normalised text are searched for.
    pub(crate) fn normalized<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.prefix {
            Prefix::EveryPiece => with_space(text),
            Prefix::Nowhere => marks_as_spaces(text),
            Prefix::EveryPieceWithoutSpace | Prefix::StartWithoutSpace => Cow::Borrowed(text),
        }
    }

    /// What a pretokenizer does, after that search.
    pub(crate) fn prefixed<'t>(&self, text: &'t str, position: Position) -> Cow<'t, str> {
        let has_none = !text.starts_with([' ', '▁']);
        match self.prefix {
            Prefix::EveryPieceWithoutSpace if has_none => with_space(text),
            Prefix::StartWithoutSpace if has_none && position == Position::Start => with_space(text),
            Prefix::EveryPieceWithoutSpace | Prefix::StartWithoutSpace => marks_as_spaces(text),
            Prefix::EveryPiece | Prefix::Nowhere => Cow::Borrowed(text),
        }
    }
}

fn with_space(text: &str) -> Cow<'_, str> {
    Cow::Owned(format!(" {}", marks_as_spaces(text)))
}

fn marks_as_spaces(text: &str) -> Cow<'_, str> {
    match text.contains(SPACE_MARK) {
        true => Cow::Owned(text.replace(SPACE_MARK, " ")),
        false => Cow::Borrowed(text),
    }
}
// ANCHOR_END: prefix

// ANCHOR: words_at_spaces
/// Cuts `text` in front of every space behind something else; joined, the words are `text` again.
///
/// No pair of symbols is joined across such a cut if no token has a space behind something else, because what is joined
/// is a token. Then the ids of the words are those of the text, and words can be remembered.
pub(crate) fn words_at_spaces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let bytes = rest.as_bytes();
        let n_spaces = bytes.iter().take_while(|&&byte| byte == b' ').count();
        let n_others = bytes[n_spaces..].iter().take_while(|&&byte| byte != b' ').count();
        let (word, after) = rest.split_at(n_spaces + n_others);
        rest = after;
        (!word.is_empty()).then_some(word)
    })
}

/// Whether a token begins before such a cut and ends behind it.
pub(crate) fn crosses_a_cut(token: &[u8]) -> bool {
    token.windows(2).any(|pair| pair[0] != b' ' && pair[1] == b' ')
}
// ANCHOR_END: words_at_spaces

/// The three parts of `tokenizer.json` that are about spaces.
#[derive(Debug, Clone)]
pub(crate) struct SpaceParts {
    pub(crate) normalizer: Value,
    pub(crate) pre_tokenizer: Value,
    pub(crate) decoder: Value,
}

impl SpaceParts {
    /// Whether this is how a SentencePiece table says it, right or wrong; byte-level tables have a `ByteLevel` pretokenizer.
    pub(crate) fn are_about_marks(&self) -> bool {
        let kinds: Vec<Value> =
            stages(&self.normalizer, "normalizers").iter().map(|stage| stage["type"].clone()).collect();
        kinds.iter().any(|kind| kind == "Replace" || kind == "Prepend") || self.pre_tokenizer["type"] == "Metaspace"
    }

    /// The older form, which is also what llama.cpp does with `add_space_prefix`.
    pub(crate) fn older(has_prefix: bool) -> Self {
        let replace = json!({"type": "Replace", "pattern": {"String": " "}, "content": SPACE_MARK});
        let mut decoders = vec![
            json!({"type": "Replace", "pattern": {"String": SPACE_MARK}, "content": " "}),
            json!({"type": "ByteFallback"}),
            json!({"type": "Fuse"}),
        ];
        let mut normalizer = replace.clone();
        if has_prefix {
            let stages = [json!({"type": "Prepend", "prepend": SPACE_MARK}), replace];
            normalizer = json!({"type": "Sequence", "normalizers": stages});
            decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
        }
        let decoder = json!({"type": "Sequence", "decoders": decoders});
        Self { normalizer, pre_tokenizer: Value::Null, decoder }
    }

    pub(crate) fn of(spaces: &Spaces) -> &Self {
        &spaces.parts
    }

    /// # Errors
    /// The name and value of what is not supported.
    pub(crate) fn read(self) -> Result<Spaces, String> {
        let prefix = match self.pre_tokenizer["type"].as_str() {
            Some("Metaspace") if self.normalizer.is_null() => metaspace_prefix(&self.pre_tokenizer)?,
            Some("Metaspace") => return Err(format!("normalizer {} before Metaspace", short(&self.normalizer))),
            _ if self.pre_tokenizer.is_null() || is_idle_split(&self.pre_tokenizer) => {
                normalizer_prefix(&self.normalizer)?
            }
            _ => return Err(format!("pre_tokenizer {}", short(&self.pre_tokenizer))),
        };
        Ok(Spaces { prefix, strip_first: read_decoder(&self.decoder)?, parts: self })
    }
}

fn normalizer_prefix(normalizer: &Value) -> Result<Prefix, String> {
    let is_prepend = |stage: &Value| stage["type"] == "Prepend" && stage["prepend"] == SPACE_MARK;
    match stages(normalizer, "normalizers").as_slice() {
        [replace] if is_replace(replace, " ", SPACE_MARK) => Ok(Prefix::Nowhere),
        [first, second] if is_prepend(first) && is_replace(second, " ", SPACE_MARK) => Ok(Prefix::EveryPiece),
        [first, second] if is_prepend(second) && is_replace(first, " ", SPACE_MARK) => Ok(Prefix::EveryPiece),
        _ => Err(format!("normalizer {}", short(normalizer))),
    }
}

fn metaspace_prefix(metaspace: &Value) -> Result<Prefix, String> {
    let refuse = || format!("pre_tokenizer {}", short(metaspace));
    // A file that says nothing of `split` asks for it.
    if metaspace["replacement"] != SPACE_MARK || metaspace["split"] != false {
        return Err(refuse());
    }
    match (metaspace["prepend_scheme"].as_str().unwrap_or("always"), &metaspace["add_prefix_space"]) {
        ("never", _) => Ok(Prefix::Nowhere),
        ("always", Value::Null | Value::Bool(true)) => Ok(Prefix::EveryPieceWithoutSpace),
        ("first", Value::Null | Value::Bool(true)) => Ok(Prefix::StartWithoutSpace),
        _ => Err(refuse()),
    }
}

/// Gemma's: it cuts at spaces, of which the normalizer has left none.
fn is_idle_split(stage: &Value) -> bool {
    stage["type"] == "Split" && stage["pattern"]["String"] == " "
}

fn is_replace(stage: &Value, from: &str, to: &str) -> bool {
    stage["type"] == "Replace" && stage["pattern"]["String"] == from && stage["content"] == to
}

/// Whether it strips the first space.
fn read_decoder(decoder: &Value) -> Result<bool, String> {
    let stages = stages(decoder, "decoders");
    let (known, rest) = stages.split_at(stages.len().min(3));
    let is_known = match known {
        [replace, fallback, fuse] => {
            is_replace(replace, SPACE_MARK, " ") && fallback["type"] == "ByteFallback" && fuse["type"] == "Fuse"
        }
        _ => false,
    };
    match rest {
        [] if is_known => Ok(false),
        [strip]
            if is_known
                && strip["type"] == "Strip"
                && (&strip["content"], &strip["start"], &strip["stop"]) == (&json!(" "), &json!(1), &json!(0)) =>
        {
            Ok(true)
        }
        _ => Err(format!("decoder {}", short(decoder))),
    }
}
