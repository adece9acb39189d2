//! Special tokens: ids that no text can spell, which mark where documents and turns end.
//!
//! Problem: a model must see the difference between the end of a document and a document *about* that mark. So these
//! tokens are outside the merges: [`Tokenizer::encode`] never produces them, whatever the text says, and only
//! [`Tokenizer::encode_with_special`], meant for templates that the program wrote itself, does.
//!
//! Where two special tokens match at one place, the longest wins, as in the `tokenizers` crate.

use std::collections::{HashMap, HashSet};

use regex::Regex;

use crate::{Tokenizer, TokenizerError, bytes_to_unicode::char_to_byte};

// ANCHOR: special_tokens
/// Ends every document of the pretraining stream.
pub const END_OF_TEXT: &str = "<|endoftext|>";
/// Opens what the user says.
pub const USER: &str = "<|user|>";
/// Opens what the model says.
pub const ASSISTANT: &str = "<|assistant|>";
/// Closes a turn.
pub const END: &str = "<|end|>";

/// This book's special tokens; their ids are their places in this list.
pub const SPECIAL_TOKENS: [&str; 4] = [END_OF_TEXT, USER, ASSISTANT, END];
// ANCHOR_END: special_tokens

/// The special tokens of one tokenizer and the search for them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Specials {
    id_by_text: HashMap<String, u32>,
    ids: HashSet<u32>,
    search: Option<Regex>,
}

impl Specials {
    /// # Errors
    /// [`TokenizerError::SpecialToken`] for an empty one, a repeated one, or one that a byte's character spells.
    pub(crate) fn new(tokens: &[(String, u32)]) -> Result<Self, TokenizerError> {
        let mut id_by_text = HashMap::new();
        for (text, id) in tokens {
            check(text)?;
            if id_by_text.insert(text.clone(), *id).is_some() {
                return Err(refuse(text, "is listed twice; list it once"));
            }
        }
        let mut longest_first: Vec<&str> = tokens.iter().map(|(text, _)| text.as_str()).collect();
        longest_first.sort_by_key(|text| std::cmp::Reverse(text.len()));
        let pattern: Vec<String> = longest_first.iter().map(|text| regex::escape(text)).collect();
        let search = match tokens.first() {
            None => None,
            Some((first, _)) => Some(
                Regex::new(&pattern.join("|"))
                    .map_err(|_| refuse(first, "and the others are too long to search for; shorten them"))?,
            ),
        };
        let ids = id_by_text.values().copied().collect();
        Ok(Self { id_by_text, ids, search })
    }

    pub(crate) fn id_of(&self, text: &str) -> Option<u32> {
        self.id_by_text.get(text).copied()
    }

    pub(crate) fn contains(&self, id: u32) -> bool {
        self.ids.contains(&id)
    }

    /// The text and id of each, ordered by id.
    pub(crate) fn in_id_order(&self) -> Vec<(&str, u32)> {
        let mut tokens: Vec<_> = self.id_by_text.iter().map(|(text, &id)| (text.as_str(), id)).collect();
        tokens.sort_by_key(|&(_, id)| id);
        tokens
    }
}

// ANCHOR: encode_with_special
impl Tokenizer {
    /// The ids of `text`, in which the text of a special token becomes its id. For templates, never for user text.
    pub fn encode_with_special(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        let mut done = 0;
        for found in self.specials().search.iter().flat_map(|search| search.find_iter(text)) {
            self.encode_into(&text[done..found.start()], &mut ids);
            ids.extend(self.specials().id_of(found.as_str()));
            done = found.end();
        }
        self.encode_into(&text[done..], &mut ids);
        ids
    }
}
// ANCHOR_END: encode_with_special

impl Tokenizer {
    /// Whether `id` is a special token.
    pub fn is_special(&self, id: u32) -> bool {
        self.specials().contains(id)
    }

    /// The special tokens with their ids, ordered by id.
    pub fn special_tokens(&self) -> Vec<(&str, u32)> {
        self.specials().in_id_order()
    }
}

fn check(text: &str) -> Result<(), TokenizerError> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (None, _) => Err(refuse(text, "is empty; give it a text such as <|end|>")),
        (Some(c), None) if char_to_byte(c).is_some() => {
            Err(refuse(text, "stands for a byte in the vocabulary; choose a longer text such as <|end|>"))
        }
        _ => Ok(()),
    }
}

fn refuse(token: &str, reason: &'static str) -> TokenizerError {
    TokenizerError::SpecialToken { token: token.to_owned(), reason }
}
