//! The table that training makes and everything else reads: tokens, merges, and the look-ups between them.
//!
//! Ids, in order: special tokens, the 256 bytes in the order of [`bytes_in_id_order`], then one id a merge. A merge's
//! place in the list is its rank: the lower, the earlier it is applied.
//!
//! It refuses nothing itself: [`train`](mod@crate::train) and [`file`](mod@crate::file) build it from checked parts.

use std::collections::HashMap;

use crate::{
    TokenizerError, TrainConfig, TrainSummary, bytes_to_unicode::bytes_in_id_order, encode::WordCache,
    special::Specials, train,
};

/// Two neighbouring token ids.
pub type Pair = (u32, u32);

/// A merge as the encoder needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Merge {
    pub(crate) rank: u32,
    pub(crate) new_id: u32,
}

// ANCHOR: tokenizer
/// A byte-level BPE tokenizer. Cheap to share between threads (`&Tokenizer` is enough for everything).
#[derive(Debug, Clone)]
pub struct Tokenizer {
    /// Each token's bytes, by id (a special token's are its text).
    tokens: Vec<Vec<u8>>,
    /// The pairs, by rank.
    merges: Vec<Pair>,
    merge_of: HashMap<Pair, Merge>,
    id_by_bytes: HashMap<Vec<u8>, u32>,
    id_by_byte: [u32; 256],
    specials: Specials,
    cache: WordCache,
}
// ANCHOR_END: tokenizer

impl Tokenizer {
    /// Learns a vocabulary from `texts`. The result does not depend on the order of the texts or the number of threads.
    ///
    /// The vocabulary is smaller than asked for when the texts have too few pairs;
    /// [`train_with_summary`](Self::train_with_summary) says so.
    ///
    /// # Errors
    /// A vocabulary smaller than the special tokens and the 256 bytes; special tokens that are empty or repeated; no text.
    pub fn train<T: AsRef<str> + Sync>(texts: &[T], config: &TrainConfig) -> Result<Self, TokenizerError> {
        Ok(Self::train_with_summary(texts, config)?.0)
    }

    /// As [`train`](Self::train), with an account of what was learned and why it stopped.
    ///
    /// # Errors
    /// As [`train`](Self::train).
    pub fn train_with_summary<T: AsRef<str> + Sync>(
        texts: &[T],
        config: &TrainConfig,
    ) -> Result<(Self, TrainSummary), TokenizerError> {
        train::train(texts, config)
    }

    /// Puts the parts together: `tokens` by id, `merges` by rank with the id that each makes.
    pub(crate) fn from_parts(
        tokens: Vec<Vec<u8>>,
        merges: &[(Pair, u32)],
        specials: Specials,
    ) -> Result<Self, MissingByte> {
        let mut id_by_bytes = HashMap::with_capacity(tokens.len());
        for (token, id) in tokens.iter().zip(0..) {
            // A special token is found by its text, never by bytes: one that is "\n" must not hide the byte.
            if !specials.contains(id) {
                id_by_bytes.insert(token.clone(), id);
            }
        }
        let mut id_by_byte = [0; 256];
        for byte in bytes_in_id_order() {
            id_by_byte[usize::from(byte)] = *id_by_bytes.get(&[byte][..]).ok_or(MissingByte(byte))?;
        }
        let mut merge_of = HashMap::with_capacity(merges.len());
        for (&(pair, new_id), rank) in merges.iter().zip(0..) {
            merge_of.insert(pair, Merge { rank, new_id });
        }
        let merges = merges.iter().map(|&(pair, _)| pair).collect();
        Ok(Self { tokens, merges, merge_of, id_by_bytes, id_by_byte, specials, cache: WordCache::default() })
    }

    /// How many ids there are: special tokens, bytes and merges.
    pub fn vocab_size(&self) -> usize {
        self.tokens.len()
    }

    /// The id of a special token's text, or of the token that consists of exactly this text.
    pub fn id_of(&self, text: &str) -> Option<u32> {
        self.specials.id_of(text).or_else(|| self.id_by_bytes.get(text.as_bytes()).copied())
    }

    /// The text of a token; bytes that are not UTF-8 on their own are written `\xNN`. `None` if there is no such id.
    pub fn token_of(&self, id: u32) -> Option<String> {
        let mut text = String::new();
        for chunk in self.token_bytes(id)?.utf8_chunks() {
            text.push_str(chunk.valid());
            text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02X}")));
        }
        Some(text)
    }

    /// The bytes of a token (of a special token: its text). `None` if there is no such id.
    pub fn token_bytes(&self, id: u32) -> Option<&[u8]> {
        self.tokens.get(usize::try_from(id).ok()?).map(Vec::as_slice)
    }

    /// The merges, by rank.
    pub fn merges(&self) -> &[Pair] {
        &self.merges
    }

    pub(crate) fn merge_of(&self, pair: Pair) -> Option<Merge> {
        self.merge_of.get(&pair).copied()
    }

    pub(crate) fn id_of_byte(&self, byte: u8) -> u32 {
        self.id_by_byte[usize::from(byte)]
    }

    pub(crate) fn specials(&self) -> &Specials {
        &self.specials
    }

    pub(crate) fn cache(&self) -> &WordCache {
        &self.cache
    }
}

/// A vocabulary without a token for this byte could not encode every string.
#[derive(Debug)]
pub(crate) struct MissingByte(pub(crate) u8);
