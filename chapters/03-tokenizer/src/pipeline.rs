//! What happens to a text besides the merges, and how `tokenizer.json` says it.
//!
//! The file describes a pipeline of parts that can be combined at will; the published byte-level tokenizers use few
//! combinations, and these are read and written here:
//!
//! | part | what is read |
//! |---|---|
//! | `normalizer` | none, or NFC (Qwen2) |
//! | `pre_tokenizer` | `ByteLevel` (GPT-2); before it `Digits` or `Split` on `\p{N}` (SmolLM2, DeepSeek), `Split` on a [`Pattern`] (Llama 3, Qwen2, GPT-4o) |
//! | `post_processor` | none, `ByteLevel` (changes offsets alone), `TemplateProcessing` (Llama 3's `<\|begin_of_text\|>`) |
//! | `decoder` | `ByteLevel` |
//!
//! Tables of characters say the same otherwise; `spaces` reads and writes theirs.
//!
//! Everything else is refused by name: a tokenizer that loads and gives slightly other ids is worse than none.
//!
//! Source: `tokenizers` 0.23, `src/pre_tokenizers`, `src/processors/template.rs`.

use serde_json::{Value, json};

use crate::{
    characters::Characters,
    pretokenize::{Digits, Pattern, PreTokenizer},
    spaces::SpaceParts,
};

// ANCHOR: symbols
/// What merging starts from.
#[derive(Debug, Clone, Default)]
pub(crate) enum Symbols {
    /// The bytes of each word (GPT-2, Llama 3, Qwen).
    #[default]
    Bytes,
    /// Characters, spaces among them (SentencePiece: Llama 2, Mistral).
    Characters(Box<Characters>),
}
// ANCHOR_END: symbols

/// What is done to a text before it is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Normalizer {
    /// Nothing.
    #[default]
    None,
    /// Unicode's composed form: `e` and a combining accent become `é`.
    Nfc,
}

/// The parts of a tokenizer that are not its table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pipeline {
    pub(crate) symbols: Symbols,
    /// Of bytes alone, as the next one; what happens to spaces is said by `symbols` otherwise.
    pub(crate) normalizer: Normalizer,
    pub(crate) pretokenizer: PreTokenizer,
    /// Whether a word that is a token is not merged at all (`ignore_merges`: Llama 3, tiktoken).
    pub(crate) whole_words_first: bool,
    pub(crate) template: Template,
    /// Stands for a byte that the table lacks (`unk_token`).
    pub(crate) unknown: Option<u32>,
}

/// What a post-processor puts around a text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Template {
    pub(crate) before: Vec<u32>,
    pub(crate) after: Vec<u32>,
    /// The part of the file, to be written again as it was.
    json: Value,
}

impl Pipeline {
    /// The parts of a file that say how text is cut, then `byte_fallback` and `fuse_unk`.
    pub(crate) fn to_json(&self) -> (SpaceParts, bool, bool) {
        match &self.symbols {
            Symbols::Bytes => {
                let (normalizer, pre_tokenizer) = (self.normalizer.to_json(), self.pretokenizer.to_json());
                (SpaceParts { normalizer, pre_tokenizer, decoder: byte_level(true) }, false, false)
            }
            Symbols::Characters(characters) => {
                (SpaceParts::of(&characters.spaces).clone(), characters.byte_fallback, characters.fuse_unknown)
            }
        }
    }
}

impl Normalizer {
    /// # Errors
    /// The name and value of what is not supported.
    pub(crate) fn from_json(value: &Value) -> Result<Self, String> {
        let refuse = || Err(format!("normalizer {}", short(value)));
        match stages(value, "normalizers").as_slice() {
            [] => Ok(Self::None),
            [stage] if stage["type"] == "NFC" => Ok(Self::Nfc),
            _ => refuse(),
        }
    }

    pub(crate) fn to_json(self) -> Value {
        match self {
            Self::None => Value::Null,
            Self::Nfc => json!({"type": "NFC"}),
        }
    }
}

const ONE_DIGIT: &str = r"\p{N}";
const THREE_DIGITS: &str = r"\p{N}{1,3}";

impl PreTokenizer {
    /// # Errors
    /// The name and value of what is not supported.
    pub(crate) fn from_json(value: &Value) -> Result<Self, String> {
        let refuse = |stage: &Value| Err(format!("pre_tokenizer {}", short(stage)));
        let (mut digits, mut pattern) = (None, None);
        let stages = stages(value, "pretokenizers");
        let Some((last, before)) = stages.split_last() else { return refuse(value) };
        for stage in before {
            match (digits_of(stage), pattern_of(stage)) {
                (Some(found), None) if digits.is_none() && pattern.is_none() => digits = Some(found),
                (None, Some(found)) if pattern.is_none() => pattern = Some(found),
                _ => return refuse(stage),
            }
        }
        // The prefix space and the pattern are on unless the file says otherwise.
        let is_off = |name: &str| last[name] == false;
        if last["type"] != "ByteLevel" || !is_off("add_prefix_space") || is_off("use_regex") != pattern.is_some() {
            return refuse(last);
        }
        Ok(Self { digits: digits.unwrap_or_default(), pattern: pattern.unwrap_or_default() })
    }

    pub(crate) fn to_json(self) -> Value {
        let split = |pattern: &str| json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false});
        let mut stages = Vec::new();
        match self.digits {
            Digits::AsPattern => {}
            Digits::Singly => stages.push(json!({"type": "Digits", "individual_digits": true})),
            Digits::ByThree => stages.push(split(THREE_DIGITS)),
        }
        if self.pattern != Pattern::Gpt2 {
            stages.push(split(self.pattern.regex()));
        }
        let last = byte_level(self.pattern == Pattern::Gpt2);
        if stages.is_empty() {
            return last;
        }
        stages.push(last);
        json!({"type": "Sequence", "pretokenizers": stages})
    }
}

fn digits_of(stage: &Value) -> Option<Digits> {
    let split_on = |pattern: &str| is_split(stage, pattern) && stage["behavior"] == "Isolated";
    if stage["type"] == "Digits" && stage["individual_digits"] == true || split_on(ONE_DIGIT) {
        return Some(Digits::Singly);
    }
    split_on(THREE_DIGITS).then_some(Digits::ByThree)
}

/// A pattern that matches everything can be asked to isolate its matches or to remove what lies between them: nothing does.
fn pattern_of(stage: &Value) -> Option<Pattern> {
    let keeps_matches = match stage["behavior"].as_str()? {
        "Isolated" => stage["invert"] == false,
        "Removed" => stage["invert"] == true,
        _ => false,
    };
    Pattern::ALL.into_iter().find(|pattern| keeps_matches && is_split(stage, pattern.regex()))
}

fn is_split(stage: &Value, pattern: &str) -> bool {
    stage["type"] == "Split" && stage["pattern"]["Regex"] == pattern
}

impl Template {
    /// # Errors
    /// The name and value of what is not supported.
    pub(crate) fn from_json(value: &Value) -> Result<Self, String> {
        let refuse = || format!("post_processor {}", short(value));
        let mut template = Self { json: value.clone(), ..Self::default() };
        for stage in stages(value, "processors") {
            match stage["type"].as_str() {
                Some("ByteLevel") => {}
                Some("TemplateProcessing") => template.read_single(&stage).ok_or_else(refuse)?,
                _ => return Err(refuse()),
            }
        }
        Ok(template)
    }

    /// What `single` puts before and after `$A`.
    fn read_single(&mut self, stage: &Value) -> Option<()> {
        let (mut before, mut after, mut text_seen) = (Vec::new(), Vec::new(), false);
        for item in stage["single"].as_array()? {
            if item.get("Sequence").is_some() {
                text_seen = true;
                continue;
            }
            let name = item["SpecialToken"]["id"].as_str()?;
            for id in stage["special_tokens"][name]["ids"].as_array()? {
                let side = if text_seen { &mut after } else { &mut before };
                side.push(u32::try_from(id.as_u64()?).ok()?);
            }
        }
        // A second stage wraps what the first has wrapped.
        self.before.splice(0..0, before);
        self.after.append(&mut after);
        text_seen.then_some(())
    }

    pub(crate) fn to_json(&self) -> Value {
        self.json.clone()
    }

    /// A template that puts one token in front.
    pub(crate) fn begin_with(token: &str, id: u32) -> Self {
        let single = json!([{"SpecialToken": {"id": token, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]);
        let pair = json!([
            {"SpecialToken": {"id": token, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
            {"SpecialToken": {"id": token, "type_id": 1}}, {"Sequence": {"id": "B", "type_id": 1}},
        ]);
        let special_tokens = json!({token: {"id": token, "ids": [id], "tokens": [token]}});
        let json = json!({
            "type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": special_tokens
        });
        Self { before: vec![id], after: Vec::new(), json }
    }
}

/// # Errors
/// The name and value of what is not supported.
pub(crate) fn check_decoder(value: &Value) -> Result<(), String> {
    match stages(value, "decoders").as_slice() {
        [stage] if stage["type"] == "ByteLevel" => Ok(()),
        _ => Err(format!("decoder {}", short(value))),
    }
}

/// GPT-2's bytes as characters, with its pattern or without.
pub(crate) fn byte_level(use_regex: bool) -> Value {
    json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex})
}

/// The parts of a `Sequence`, or the one part, or none.
pub(crate) fn stages(value: &Value, field: &str) -> Vec<Value> {
    match value {
        Value::Null => Vec::new(),
        _ if value["type"] == "Sequence" => value[field].as_array().cloned().unwrap_or_default(),
        _ => vec![value.clone()],
    }
}

/// The JSON of a part, cut where it is longer than a message should be.
pub(crate) fn short(value: &Value) -> String {
    const MAX_CHARS: usize = 300;
    let text = value.to_string();
    match text.char_indices().nth(MAX_CHARS) {
        Some((at, _)) => format!("{} …", &text[..at]),
        None => text,
    }
}
