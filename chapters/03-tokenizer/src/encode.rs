//! Text to ids: added tokens taken out, the rest normalised, cut into words, and each word merged.
//!
//! ```text
//! text → added tokens | text → NFC or nothing → words → ids of each word, from the cache or by its merges
//! ```
//!
//! The order is that of Hugging Face's `tokenizers`, so that files made there give the same ids here.
//!
//! [`Tokenizer::encode`] spells special tokens that the text contains, as if they were ordinary text.

use rayon::prelude::*;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::{
    Tokenizer,
    added::{Piece, Recognise},
    cache::WordCache,
    merge::merge_symbols,
    pipeline::Normalizer,
};

// ANCHOR: encode
impl Tokenizer {
    /// The ids of `text`. Special tokens in it are spelled out, not recognised, so user text cannot forge one.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        self.encode_recognising(text, Recognise::Ordinary)
    }

    pub(crate) fn encode_recognising(&self, text: &str, recognise: Recognise) -> Vec<u32> {
        // A guess that is seldom too small: a longer vector would only be copied once.
        let mut ids = Vec::with_capacity(text.len() / 3);
        self.caches().with(|cache| {
            self.added().split_raw(text, recognise, |piece| match piece {
                Piece::Added(id) => ids.push(id),
                Piece::Text(text) => self.encode_text(text, recognise, cache, &mut ids),
            });
        });
        ids
    }

    fn encode_text(&self, text: &str, recognise: Recognise, cache: &mut WordCache, ids: &mut Vec<u32>) {
        let composed = self.pipeline().normalizer.composed(text);
        self.added().split_normalized(composed.as_deref().unwrap_or(text), recognise, |piece| match piece {
            Piece::Added(id) => ids.push(id),
            Piece::Text(text) => {
                for word in self.pipeline().pretokenizer.words(text) {
                    cache.append_or_compute(word, ids, |ids| self.encode_word(word, ids));
                }
            }
        });
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

impl Normalizer {
    /// `text` in its composed form, if that may be another text.
    fn composed(self, text: &str) -> Option<String> {
        match self {
            Self::None => None,
            Self::Nfc if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes => None,
            Self::Nfc => Some(text.nfc().collect()),
        }
    }
}
