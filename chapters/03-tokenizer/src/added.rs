//! Tokens that are found in the text before anything else happens to it: special tokens, and words that were added by hand.
//!
//! Problem: a token such as `<|im_end|>` or Qwen's `<tool_call>` must come out as one id, whatever the merges would make of
//! its letters. So it is searched for in the raw text. Of two that begin at one place the longest wins.
//!
//! Three flags of `tokenizer.json` matter: `lstrip` and `rstrip` swallow the white space on that side, and a `normalized`
//! token is searched for after the text was normalised, the others before. `single_word` is refused.
//!
//! Source: `tokenizers` 0.23, `src/tokenizer/added_vocabulary.rs`.

use std::collections::{BTreeSet, HashMap};

use aho_corasick::{AhoCorasick, MatchKind};
use serde::{Deserialize, Serialize};

use crate::{
    TokenizerError,
    bytes_to_unicode::char_to_byte,
    pipeline::{Pipeline, Symbols},
};

/// An added token, as `tokenizer.json` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AddedToken {
    pub(crate) id: u32,
    pub(crate) content: String,
    #[serde(default)]
    pub(crate) single_word: bool,
    #[serde(default)]
    pub(crate) lstrip: bool,
    #[serde(default)]
    pub(crate) rstrip: bool,
    #[serde(default)]
    pub(crate) normalized: bool,
    #[serde(default)]
    pub(crate) special: bool,
    /// Whether the model's own table lists it too: some files do, some do not.
    #[serde(skip, default)]
    pub(crate) in_model: bool,
}

impl AddedToken {
    /// A special token of ours.
    pub(crate) fn special(content: impl Into<String>, id: u32) -> Self {
        let content = content.into();
        let (lstrip, rstrip, normalized, single_word) = (false, false, false, false);
        Self { id, content, single_word, lstrip, rstrip, normalized, special: true, in_model: true }
    }
}

/// Which added tokens are ids, and which are text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recognise {
    /// Those that are not special, for text of a user's.
    Ordinary,
    /// All, for templates.
    All,
}

/// A part of a text.
pub(crate) enum Piece<'t> {
    Added(u32),
    Text(&'t str),
}

/// A vocabulary's added tokens and the search for them.
#[derive(Debug, Clone, Default)]
pub(crate) struct AddedTokens {
    /// In order of id.
    tokens: Vec<AddedToken>,
    place_by_text: HashMap<String, usize>,
    special_ids: BTreeSet<u32>,
    raw: Option<Search>,
    normalized: Option<Search>,
}

impl AddedTokens {
    /// # Errors
    /// [`TokenizerError::SpecialToken`] for an empty one, a repeated one, or one that a byte's character spells.
    pub(crate) fn new(mut tokens: Vec<AddedToken>, pipeline: &Pipeline) -> Result<Self, TokenizerError> {
        tokens.sort_by_key(|token| token.id);
        let mut place_by_text = HashMap::new();
        for (place, token) in tokens.iter().enumerate() {
            check(&token.content, &pipeline.symbols)?;
            if place_by_text.insert(token.content.clone(), place).is_some() {
                return Err(refuse(&token.content, "is listed twice; list it once"));
            }
        }
        let special_ids = tokens.iter().filter(|token| token.special).map(|token| token.id).collect();
        let search = |normalized| {
            let of_kind = |place: &usize| tokens[*place].normalized == normalized;
            // Who searches in normalised text searches for a normalised token: Llama 2's `<s>` is then ` <s>`.
            let content = |token: &AddedToken| match normalized {
                true => pipeline.normalized(&token.content).into_owned(),
                false => token.content.clone(),
            };
            Search::new(&tokens, (0..tokens.len()).filter(of_kind).collect(), content)
        };
        Ok(Self { raw: search(false)?, normalized: search(true)?, tokens, place_by_text, special_ids })
    }

    pub(crate) fn all(&self) -> &[AddedToken] {
        &self.tokens
    }

    pub(crate) fn by_text(&self, text: &str) -> Option<&AddedToken> {
        self.place_by_text.get(text).map(|&place| &self.tokens[place])
    }

    pub(crate) fn by_id(&self, id: u32) -> Option<&AddedToken> {
        let place = self.tokens.binary_search_by_key(&id, |token| token.id).ok()?;
        self.tokens.get(place)
    }

    pub(crate) fn is_special(&self, id: u32) -> bool {
        // Special tokens lie together at one end of nearly every table, so the range answers first.
        let is_in_range = self.special_ids.first() <= Some(&id) && Some(&id) <= self.special_ids.last();
        is_in_range && self.special_ids.contains(&id)
    }

    /// Takes out the tokens that are searched for in the raw text.
    pub(crate) fn split_raw<'t>(&self, text: &'t str, recognise: Recognise, each: impl FnMut(Piece<'t>)) {
        self.split(self.raw.as_ref(), text, recognise, each);
    }

    /// Takes out the tokens that are searched for in the normalised text.
    pub(crate) fn split_normalized<'t>(&self, text: &'t str, recognise: Recognise, each: impl FnMut(Piece<'t>)) {
        self.split(self.normalized.as_ref(), text, recognise, each);
    }

    fn split<'t>(&self, search: Option<&Search>, text: &'t str, recognise: Recognise, mut each: impl FnMut(Piece<'t>)) {
        let mut done = 0;
        for (found, place) in search.into_iter().flat_map(|search| search.find_iter(text)) {
            let token = &self.tokens[place];
            if token.special && recognise == Recognise::Ordinary {
                continue;
            }
            let strip_left = || text[..found.start].trim_end().len().max(done);
            let start = if token.lstrip { strip_left() } else { found.start };
            if done < start {
                each(Piece::Text(&text[done..start]));
            }
            each(Piece::Added(token.id));
            let after = &text[found.end..];
            done = if token.rstrip { text.len() - after.trim_start().len() } else { found.end };
        }
        if done < text.len() {
            each(Piece::Text(&text[done..]));
        }
    }
}

#[derive(Debug, Clone)]
struct Search {
    automaton: AhoCorasick,
    /// Place of each pattern's token.
    places: Vec<usize>,
}

impl Search {
    fn new(
        tokens: &[AddedToken],
        places: Vec<usize>,
        content: impl Fn(&AddedToken) -> String,
    ) -> Result<Option<Self>, TokenizerError> {
        let Some(&first) = places.first() else { return Ok(None) };
        let texts = places.iter().map(|&place| content(&tokens[place]));
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(texts)
            .map_err(|_| refuse(&tokens[first].content, "and the others are too long to search for; shorten them"))?;
        Ok(Some(Self { automaton, places }))
    }

    fn find_iter(&self, text: &str) -> impl Iterator<Item = (std::ops::Range<usize>, usize)> {
        self.automaton.find_iter(text).map(|found| (found.range(), self.places[found.pattern().as_usize()]))
    }
}

fn check(text: &str, symbols: &Symbols) -> Result<(), TokenizerError> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (None, _) => Err(refuse(text, "is empty; give it a text such as <|end|>")),
        (Some(c), None) if matches!(symbols, Symbols::Bytes) && char_to_byte(c).is_some() => {
            Err(refuse(text, "stands for a byte in the vocabulary; choose a longer text such as <|end|>"))
        }
        _ => Ok(()),
    }
}

fn refuse(token: &str, reason: &'static str) -> TokenizerError {
    TokenizerError::SpecialToken { token: token.to_owned(), reason }
}
