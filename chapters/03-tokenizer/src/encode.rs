//! Text to ids: added tokens taken out, the rest normalised, cut into words, and each word merged.
//!
//! ```text
//! text → added tokens | text → NFC or nothing → words → ids of each word, from the cache or by its merges
//! ```
//!
//! The order is that of Hugging Face's `tokenizers`, so that files made there give the same ids here.
//!
//! A table of characters (`characters`) has spaces put in front of texts instead of NFC, and its words end where a space
//! follows something else, if that changes no ids.
//!
//! [`Tokenizer::encode`] spells special tokens that the text contains, as if they were ordinary text.

use std::borrow::Cow;

use rayon::prelude::*;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::{
    Tokenizer,
    added::{Piece, Recognise},
    cache::WordCache,
    characters::Characters,
    merge::merge_symbols,
    pipeline::{Normalizer, Pipeline, Symbols},
    spaces::{Position, words_at_spaces},
};

// ANCHOR: encode
impl Tokenizer {
    /// The ids of `text`. Special tokens in it are spelled out, not recognised, so user text cannot forge one.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        self.encode_recognising(text, Recognise::Ordinary, Position::Start)
    }

    /// The ids of text that stands behind other tokens. They differ from [`encode`](Self::encode)'s where a table puts a space in front of
    /// the first word alone, as Mistral's does.
    pub fn encode_continuation(&self, text: &str) -> Vec<u32> {
        self.encode_recognising(text, Recognise::Ordinary, Position::Inside)
    }

    pub(crate) fn encode_recognising(&self, text: &str, recognise: Recognise, mut position: Position) -> Vec<u32> {
        // A guess that is seldom too small: a longer vector would only be copied once.
        let mut ids = Vec::with_capacity(text.len() / 3);
        self.caches().with(|cache| {
            self.added().split_raw(text, recognise, |piece| {
                match piece {
                    Piece::Added(id) => ids.push(id),
                    Piece::Text(text) => self.encode_text(text, recognise, position, cache, &mut ids),
                }
                position = Position::Inside;
            });
        });
        ids
    }

    fn encode_text(
        &self,
        text: &str,
        recognise: Recognise,
        mut position: Position,
        cache: &mut WordCache,
        ids: &mut Vec<u32>,
    ) {
        let normalized = self.pipeline().normalized(text);
        self.added().split_normalized(&normalized, recognise, |piece| {
            match piece {
                Piece::Added(id) => ids.push(id),
                Piece::Text(text) => self.encode_piece(text, position, cache, ids),
            }
            position = Position::Inside;
        });
    }

    fn encode_piece(&self, text: &str, position: Position, cache: &mut WordCache, ids: &mut Vec<u32>) {
        match &self.pipeline().symbols {
            Symbols::Bytes => {
                for word in self.pipeline().pretokenizer.words(text) {
                    cache.append_or_compute(word, ids, |ids| self.encode_word(word, ids));
                }
            }
            Symbols::Characters(characters) => {
                let text = characters.spaces.prefixed(text, position);
                if !self.is_cut_at_spaces() {
                    return self.encode_characters(characters, &text, ids);
                }
                for word in words_at_spaces(&text) {
                    cache.append_or_compute(word, ids, |ids| self.encode_characters(characters, word, ids));
                }
            }
        }
    }

    /// Appends the ids of one word: its bytes, joined pair by pair in order of rank.
    fn encode_word(&self, word: &str, ids: &mut Vec<u32>) {
        if self.pipeline().whole_words_first
            && let Some(id) = self.id_of_bytes(word.as_bytes())
        {
            ids.push(id);
            return;
        }
        let unknown = self.pipeline().unknown;
        let mut symbols = word.bytes().filter_map(|byte| self.id_of_byte(byte).or(unknown)).collect();
        merge_symbols(&mut symbols, |pair| self.merge_of(pair));
        ids.append(&mut symbols);
    }

    /// The same for a word's characters.
    fn encode_characters(&self, characters: &Characters, word: &str, ids: &mut Vec<u32>) {
        let mut symbols = Vec::with_capacity(word.len());
        self.append_characters(characters, word, &mut symbols);
        merge_symbols(&mut symbols, |pair| self.merge_of(pair));
        ids.append(&mut symbols);
    }
}
// ANCHOR_END: encode

impl Tokenizer {
    /// [`encode`](Self::encode) of each text, on all threads; the results are in the order of the texts.
    pub fn encode_batch<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Vec<Vec<u32>> {
        texts.par_iter().map(|text| self.encode(text.as_ref())).collect()
    }

    /// `ids` with what the file's post-processor puts around a text: Llama 3's `<|begin_of_text|>`, and for most nothing.
    pub fn wrap(&self, ids: &[u32]) -> Vec<u32> {
        let template = &self.pipeline().template;
        [&template.before, ids, &template.after].concat()
    }
}

impl Pipeline {
    /// `text` as the added tokens see it that want normalised text.
    pub(crate) fn normalized<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match &self.symbols {
            Symbols::Bytes => self.normalizer.composed(text),
            Symbols::Characters(characters) => characters.spaces.normalized(text),
        }
    }
}

impl Normalizer {
    /// `text` in its composed form, if that may be another text.
    fn composed(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::None => Cow::Borrowed(text),
            Self::Nfc if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes => Cow::Borrowed(text),
            Self::Nfc => Cow::Owned(text.nfc().collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Cutting in front of spaces changes no id: the uncut way is the oracle.
        #[test]
        fn words_have_the_ids_of_the_whole(
            name in prop::sample::select(&["llama2", "mistral", "partial"][..]),
            pieces in prop::collection::vec(" {0,3}([a-z]{1,4}| the| lamp|[ab]{1,6}|[^ ▁]|[0-9\\n]{1,3})", 0..30),
        ) {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/reference/tokenizer/spm/");
            let tokenizer = Tokenizer::load(format!("{folder}{name}.json")).unwrap();
            prop_assert!(tokenizer.is_cut_at_spaces());
            let Symbols::Characters(characters) = &tokenizer.pipeline().symbols else { panic!("{name} has bytes") };
            let text = pieces.concat();
            let normalized = tokenizer.pipeline().normalized(&text);
            let mut whole = Vec::new();
            if !text.is_empty() {
                let uncut = characters.spaces.prefixed(&normalized, Position::Start);
                tokenizer.encode_characters(characters, &uncut, &mut whole);
            }
            prop_assert_eq!(tokenizer.encode(&text), whole, "{}", name);
        }
    }

    #[test]
    fn a_table_with_a_token_across_a_space_is_not_cut() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/reference/tokenizer/spm/");
        let tokenizer = Tokenizer::load(format!("{folder}gemma.json")).unwrap();
        assert!(!tokenizer.is_cut_at_spaces());
        let across = tokenizer.encode(&" of the".repeat(9));
        assert!(across.iter().any(|&id| tokenizer.text_inside(id).trim_start().contains(' ')), "{across:?}");
    }
}
