//! Text to ids: cut into words, then in each word apply the merges in order of their rank.
//!
//! Rule: of all neighbouring pairs in the word that have a merge, join the one of lowest rank (the leftmost of equals);
//! repeat until no pair has one. Done by scanning, a word of n bytes costs n² steps, and a "word" may be a megabyte of
//! letters without a space. So the pairs wait in a heap, keyed by (rank, place): n log n.
//!
//! Words repeat (Zipf's law), so the ids of short ones are remembered. The cache never changes the result.
//!
//! Special tokens written in the text are not recognised: they are spelled in ordinary tokens.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    sync::RwLock,
};

use rayon::prelude::*;

use crate::{Tokenizer, pretokenize, tokenizer::Merge};

// ANCHOR: encode
impl Tokenizer {
    /// The ids of `text`. Special tokens in it are spelled out, not recognised, so user text cannot forge one.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        self.encode_into(text, &mut ids);
        ids
    }

    /// Appends the ids of `text`.
    pub(crate) fn encode_into(&self, text: &str, ids: &mut Vec<u32>) {
        for word in pretokenize(text) {
            self.cache().append_or_compute(word, ids, || self.merge_word(word));
        }
    }

    /// The ids of one word: its bytes, joined pair by pair in order of rank.
    fn merge_word(&self, word: &str) -> Vec<u32> {
        let mut symbols = Symbols::new(word.bytes().map(|byte| self.id_of_byte(byte)));
        let mut waiting = BinaryHeap::with_capacity(word.len());
        let offer = |waiting: &mut BinaryHeap<_>, symbols: &Symbols, at: usize| {
            if let Some(merge) = symbols.pair_at(at).and_then(|pair| self.merge_of(pair)) {
                waiting.push(Reverse((merge.rank, at, merge.new_id)));
            }
        };
        for at in 0..word.len() {
            offer(&mut waiting, &symbols, at);
        }
        while let Some(Reverse((_, at, new_id))) = waiting.pop() {
            // An earlier merge may have changed the pair that waited here.
            let now = symbols.pair_at(at).and_then(|pair| self.merge_of(pair));
            if now.is_none_or(|merge: Merge| merge.new_id != new_id) {
                continue;
            }
            symbols.join(at, new_id);
            if let Some(before) = symbols.before(at) {
                offer(&mut waiting, &symbols, before);
            }
            offer(&mut waiting, &symbols, at);
        }
        symbols.ids()
    }
}
// ANCHOR_END: encode

impl Tokenizer {
    /// [`encode`](Self::encode) of each text, on all threads; the results are in the order of the texts.
    pub fn encode_batch<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Vec<Vec<u32>> {
        texts.par_iter().map(|text| self.encode(text.as_ref())).collect()
    }
}

/// A word's symbols as a linked list over their first byte's place, so that a join moves nothing.
struct Symbols {
    /// The id that starts at each place; `None` once it was joined to the one on its left.
    ids: Vec<Option<u32>>,
    next: Vec<usize>,
    previous: Vec<Option<usize>>,
}

impl Symbols {
    fn new(ids: impl Iterator<Item = u32>) -> Self {
        let ids: Vec<_> = ids.map(Some).collect();
        let n = ids.len();
        Self { ids, next: (1..=n).collect(), previous: (0..n).map(|at| at.checked_sub(1)).collect() }
    }

    fn pair_at(&self, at: usize) -> Option<(u32, u32)> {
        let right = *self.ids.get(self.next[at])?;
        Some((self.ids[at]?, right?))
    }

    fn before(&self, at: usize) -> Option<usize> {
        self.previous[at]
    }

    /// Puts `new_id` in the place of the symbol at `at` and its right neighbour.
    fn join(&mut self, at: usize, new_id: u32) {
        let right = self.next[at];
        self.ids[at] = Some(new_id);
        self.ids[right] = None;
        self.next[at] = self.next[right];
        if let Some(previous) = self.previous.get_mut(self.next[right]) {
            *previous = Some(at);
        }
    }

    fn ids(self) -> Vec<u32> {
        self.ids.into_iter().flatten().collect()
    }
}

const N_SHARDS: usize = 64;
const WORDS_PER_SHARD: usize = 4096;
const LONGEST_CACHED_BYTES: usize = 64;

type WordIds = HashMap<Box<str>, Box<[u32]>>;

/// Ids of words seen before. Locks are per shard, so that threads seldom meet; a lock that is taken counts as a miss.
#[derive(Debug)]
pub(crate) struct WordCache {
    shards: Vec<RwLock<WordIds>>,
}

impl WordCache {
    fn append_or_compute(&self, word: &str, ids: &mut Vec<u32>, compute: impl FnOnce() -> Vec<u32>) {
        if word.len() > LONGEST_CACHED_BYTES {
            ids.extend(compute());
            return;
        }
        let shard = self.shard_of(word);
        if let Ok(known) = shard.try_read()
            && let Some(word_ids) = known.get(word)
        {
            ids.extend_from_slice(word_ids);
            return;
        }
        let word_ids = compute();
        ids.extend_from_slice(&word_ids);
        if let Ok(mut known) = shard.try_write()
            && known.len() < WORDS_PER_SHARD
        {
            known.insert(word.into(), word_ids.into());
        }
    }

    fn shard_of(&self, word: &str) -> &RwLock<WordIds> {
        let mut hasher = DefaultHasher::new();
        word.hash(&mut hasher);
        &self.shards[hasher.finish() as usize % N_SHARDS]
    }
}

impl Default for WordCache {
    fn default() -> Self {
        Self { shards: (0..N_SHARDS).map(|_| RwLock::default()).collect() }
    }
}

/// A clone starts with an empty cache.
impl Clone for WordCache {
    fn clone(&self) -> Self {
        Self::default()
    }
}
