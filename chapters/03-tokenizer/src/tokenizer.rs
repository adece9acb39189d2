//! The table that training makes and everything else reads: tokens, merges, and the look-ups between them.
//!
//! Ids, in order, of a table that we trained: special tokens, the 256 bytes in the order of
//! [`bytes_in_id_order`](crate::bytes_to_unicode::bytes_in_id_order), then one id a merge. Tables of others may differ. A merge's
//! place in the list is its rank: the lower, the earlier it is applied.
//!
//! It refuses nothing itself: [`train`](mod@crate::train) and the readers of files build it from checked parts.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::{
    PreTokenizer, TokenizerError, TrainConfig, TrainSummary,
    added::AddedTokens,
    bytes_to_unicode::to_visible,
    cache::CachePool,
    characters::{byte_token, with_marks},
    pipeline::{Pipeline, Symbols},
    spaces::crosses_a_cut,
    train,
};

/// Two neighbouring token ids.
pub type Pair = (u32, u32);

/// A merge as the encoder needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Merge {
    pub(crate) rank: u32,
    pub(crate) new_id: u32,
}

impl Merge {
    /// Of a higher rank than any merge.
    pub(crate) const NONE: Self = Self { rank: u32::MAX, new_id: u32::MAX };
}

// ANCHOR: tokenizer
/// A BPE tokenizer, of bytes or of characters. Cheap to share between threads (`&Tokenizer` is enough for everything).
#[derive(Debug, Clone)]
pub struct Tokenizer {
    /// Each token's bytes, by id (an added token's are its text). Empty where a file leaves out an id.
    tokens: Vec<Vec<u8>>,
    /// The pairs, by rank.
    merges: Vec<Pair>,
    merge_of: HashMap<u64, Merge, RandomState>,
    id_by_bytes: HashMap<Vec<u8>, u32, RandomState>,
    /// Of a table of characters: their `<0xNN>`, which are not in `id_by_bytes`.
    id_by_byte: [Option<u32>; 256],
    added: AddedTokens,
    pipeline: Pipeline,
    /// Whether a table of characters may be applied word by word.
    is_cut_at_spaces: bool,
    caches: CachePool,
}
// ANCHOR_END: tokenizer

/// What a tokenizer is put together from.
pub(crate) struct Parts {
    /// Bytes by id; empty for an id that no token has.
    pub(crate) tokens: Vec<Vec<u8>>,
    /// Of a table of characters: the tokens of bytes.
    pub(crate) byte_tokens: Vec<(u8, u32)>,
    /// In order of rank; of a pair that is listed twice, the last counts.
    pub(crate) merges: Vec<(Pair, Merge)>,
    pub(crate) added: AddedTokens,
    pub(crate) pipeline: Pipeline,
}

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

    /// Puts the parts together.
    ///
    /// # Errors
    /// A byte that UTF-8 uses and that no token is; in a table of characters, a space that is none.
    pub(crate) fn from_parts(parts: Parts) -> Result<Self, MissingByte> {
        let Parts { tokens, byte_tokens, merges, added, pipeline } = parts;
        let mut id_by_byte = [None; 256];
        byte_tokens.iter().for_each(|&(byte, id)| id_by_byte[usize::from(byte)] = Some(id));
        let mut id_by_bytes = HashMap::with_capacity_and_hasher(tokens.len(), RandomState::default());
        for (token, id) in tokens.iter().zip(0..) {
            let is_byte_token = token.len() == 1 && id_by_byte[usize::from(token[0])] == Some(id);
            // An added token is found by its text, never by bytes: one that is "\n" must not hide the byte.
            if !token.is_empty() && !is_byte_token && added.by_id(id).is_none() {
                id_by_bytes.insert(token.clone(), id);
            }
        }
        let of_one_byte = |byte: u8| id_by_bytes.get(&[byte][..]).copied();
        let missing = match &pipeline.symbols {
            Symbols::Bytes => {
                id_by_byte = std::array::from_fn(|byte| of_one_byte(byte as u8));
                (0..=255).find(|&byte| of_one_byte(byte).is_none() && !may_be_missing(byte))
            }
            Symbols::Characters(_) => Some(b' ').filter(|&space| of_one_byte(space).is_none()),
        };
        if let Some(byte) = missing {
            return Err(MissingByte(byte));
        }
        let is_cut_at_spaces = !tokens.iter().any(|token| crosses_a_cut(token));
        let mut merge_of = HashMap::with_capacity_and_hasher(merges.len(), RandomState::default());
        for &(pair, merge) in &merges {
            merge_of.insert(pair_key(pair), merge);
        }
        let merges = merges.into_iter().map(|(pair, _)| pair).collect();
        let caches = CachePool::default();
        Ok(Self { tokens, merges, merge_of, id_by_bytes, id_by_byte, added, pipeline, is_cut_at_spaces, caches })
    }

    /// How many ids there are: special tokens, bytes and merges.
    pub fn vocab_size(&self) -> usize {
        self.tokens.len()
    }

    /// The id of an added token's text, or of the token that consists of exactly this text.
    pub fn id_of(&self, text: &str) -> Option<u32> {
        self.added.by_text(text).map(|token| token.id).or_else(|| self.id_of_bytes(text.as_bytes()))
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

    /// The bytes of a token (of an added token: its text). `None` if there is no such id.
    pub fn token_bytes(&self, id: u32) -> Option<&[u8]> {
        self.tokens.get(usize::try_from(id).ok()?).map(Vec::as_slice).filter(|bytes| !bytes.is_empty())
    }

    /// Bytes that UTF-8 uses and that no token is: of a table of characters, those without a `<0xNN>`. Text with one of them does not come back: like `tokenizers`, the encoder leaves
    /// the byte out, or puts the file's unknown token in its place. A table that we trained has them all.
    pub fn missing_bytes(&self) -> Vec<u8> {
        let in_utf8 = |byte: &u8| !matches!(byte, 0xC0 | 0xC1 | 0xF5..);
        (0..=255).filter(in_utf8).filter(|&byte| self.id_of_byte(byte).is_none()).collect()
    }

    /// The merges, by rank.
    pub fn merges(&self) -> &[Pair] {
        &self.merges
    }

    /// Whether merges of different pairs share a rank, as in tables with scores or in tiktoken's. The leftmost of them goes first, which a
    /// `tokenizer.json` cannot say: its list orders equals too, so that a saved table may give other ids.
    pub fn has_ties(&self) -> bool {
        let mut pair_of_rank = HashMap::new();
        let mut ranked = self.merges.iter().filter_map(|&pair| Some((pair, self.merge_of(pair)?.rank)));
        ranked.any(|(pair, rank)| *pair_of_rank.entry(rank).or_insert(pair) != pair)
    }

    /// How it cuts text into words, if its symbols are bytes. A table of characters cuts nothing, and this says nothing of it.
    pub fn pretokenizer(&self) -> PreTokenizer {
        self.pipeline.pretokenizer
    }

    /// The vocabulary as it was when it had `vocab_size` ids: later merges are gone, added tokens stay. `None` if the bytes are not among them.
    pub fn with_first_ids(&self, vocab_size: usize) -> Option<Self> {
        let stays = |id: u32| (id as usize) < vocab_size || self.added.by_id(id).is_some();
        let tokens = self.tokens.iter().zip(0..).map(|(token, id)| if stays(id) { token.clone() } else { Vec::new() });
        let merges = self.merges.iter().filter_map(|&pair| Some((pair, self.merge_of(pair)?)));
        let merges = merges.filter(|(_, merge)| (merge.new_id as usize) < vocab_size);
        let byte_tokens = self.byte_tokens().into_iter().filter(|&(_, id)| stays(id)).collect();
        let (tokens, merges) = (tokens.collect(), merges.collect());
        let (added, pipeline) = (self.added.clone(), self.pipeline.clone());
        Self::from_parts(Parts { tokens, byte_tokens, merges, added, pipeline }).ok()
    }

    /// The tokens of bytes of a table of characters.
    pub(crate) fn byte_tokens(&self) -> Vec<(u8, u32)> {
        match &self.pipeline.symbols {
            Symbols::Bytes => Vec::new(),
            Symbols::Characters(_) => (0..=255).filter_map(|byte| Some((byte, self.id_of_byte(byte)?))).collect(),
        }
    }

    /// A token as files write it; that of an id without a token is empty.
    pub(crate) fn written(&self, id: u32) -> String {
        if let Some(token) = self.added.by_id(id) {
            return token.content.clone();
        }
        let bytes = self.token_bytes(id).unwrap_or_default();
        match (&self.pipeline.symbols, bytes) {
            (Symbols::Bytes, _) => to_visible(bytes),
            (Symbols::Characters(_), &[byte]) if self.id_of_byte(byte) == Some(id) => byte_token(byte),
            (Symbols::Characters(_), _) => with_marks(bytes),
        }
    }

    pub(crate) fn merge_of(&self, pair: Pair) -> Option<Merge> {
        self.merge_of.get(&pair_key(pair)).copied()
    }

    pub(crate) fn id_of_bytes(&self, bytes: &[u8]) -> Option<u32> {
        self.id_by_bytes.get(bytes).copied()
    }

    pub(crate) fn id_of_byte(&self, byte: u8) -> Option<u32> {
        self.id_by_byte[usize::from(byte)]
    }

    pub(crate) fn is_cut_at_spaces(&self) -> bool {
        self.is_cut_at_spaces
    }

    pub(crate) fn added(&self) -> &AddedTokens {
        &self.added
    }

    pub(crate) fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    pub(crate) fn caches(&self) -> &CachePool {
        &self.caches
    }
}

/// One integer for two: hashed in one step.
fn pair_key((left, right): Pair) -> u64 {
    u64::from(left) << 32 | u64::from(right)
}

/// Whether a published table may lack a token for this byte. Some hold only the bytes that their corpus had: SmolLM2's lacks six control codes, the
/// first bytes of planes without characters, and those that UTF-8 never uses.
fn may_be_missing(byte: u8) -> bool {
    match byte {
        b'\t' | b'\n' | b'\r' => false,
        0x00..=0x1F | 0x7F | 0xC0 | 0xC1 | 0xF1.. => true,
        _ => false,
    }
}

/// A vocabulary without a token for this byte could not encode every string.
#[derive(Debug)]
pub(crate) struct MissingByte(pub(crate) u8);
