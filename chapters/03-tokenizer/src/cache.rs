//! Ids of words that were met before.
//!
//! Words repeat (Zipf's law: a few make up most of any text), so a look-up replaces nearly all merging. Each call of the
//! encoder borrows a cache from a pool and gives it back: threads never wait for each other at a word, and a cache stays
//! warm between calls. When one is full it starts anew, so that a change of language does not leave it stale, and memory
//! stays bounded. A cache never changes the result.
//!
//! Hashing is seeded at random, because the words of a server's users are not ours to choose.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use foldhash::fast::RandomState;

/// Words of up to so many bytes are kept in the table itself, the others on the heap.
const N_INLINE: usize = 15;
const LONGEST_CACHED_BYTES: usize = 128;
const MAX_WORDS: usize = 1 << 16;

// ANCHOR: cache
/// The ids of words, one after another, and where each word's lie.
#[derive(Debug, Default)]
pub(crate) struct WordCache {
    short: HashMap<u128, Place, RandomState>,
    long: HashMap<Box<str>, Place, RandomState>,
    ids: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    start: u32,
    n_ids: u32,
}

impl WordCache {
    /// Appends the ids of `word` to `ids`: those of last time, or what `compute` appends.
    #[inline]
    pub(crate) fn append_or_compute(&mut self, word: &str, ids: &mut Vec<u32>, compute: impl FnOnce(&mut Vec<u32>)) {
        let key = inline_key(word);
        let known = match key {
            Some(key) => self.short.get(&key),
            None => self.long.get(word),
        };
        if let Some(&Place { start, n_ids }) = known {
            match self.ids[start as usize..][..n_ids as usize] {
                // Most words are one token; a push is less than a copy of a slice.
                [id] => ids.push(id),
                ref many => ids.extend_from_slice(many),
            }
            return;
        }
        let before = ids.len();
        compute(ids);
        if word.len() <= LONGEST_CACHED_BYTES {
            self.insert(word, key, &ids[before..]);
        }
    }

    #[cold]
    fn insert(&mut self, word: &str, key: Option<u128>, word_ids: &[u32]) {
        if self.short.len() + self.long.len() >= MAX_WORDS {
            self.short.clear();
            self.long.clear();
            self.ids.clear();
        }
        let place = Place { start: self.ids.len() as u32, n_ids: word_ids.len() as u32 };
        self.ids.extend_from_slice(word_ids);
        match key {
            Some(key) => self.short.insert(key, place),
            None => self.long.insert(word.into(), place),
        };
    }
}

/// A short word's bytes and their number in one integer: no two words share one.
#[inline]
fn inline_key(word: &str) -> Option<u128> {
    let mut bytes = [0; 16];
    bytes.get_mut(..N_INLINE)?.get_mut(..word.len())?.copy_from_slice(word.as_bytes());
    bytes[N_INLINE] = word.len() as u8;
    Some(u128::from_le_bytes(bytes))
}
// ANCHOR_END: cache

/// Caches that no call is using.
#[derive(Debug, Default)]
pub(crate) struct CachePool {
    idle: Mutex<Vec<WordCache>>,
}

impl CachePool {
    /// Lends a cache to `work`. A call that panics does not give its cache back.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut WordCache) -> R) -> R {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut cache = idle().pop().unwrap_or_default();
        let result = work(&mut cache);
        idle().push(cache);
        result
    }
}

/// A clone starts with empty caches.
impl Clone for CachePool {
    fn clone(&self) -> Self {
        Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_words_have_keys_of_their_own() {
        let words = ["", "a", "a\0", "\0a", "aa", "fifteen bytes !"];
        let keys: std::collections::HashSet<_> = words.iter().filter_map(|word| inline_key(word)).collect();
        assert_eq!(keys.len(), words.len());
        assert_eq!(inline_key("sixteen bytes !!"), None);
    }

    #[test]
    fn a_full_cache_starts_anew_and_stays_right() {
        let mut cache = WordCache::default();
        for round in 0..2 {
            for n in 0..MAX_WORDS as u32 + 1000 {
                let mut ids = Vec::new();
                cache.append_or_compute(&format!("word number {n}"), &mut ids, |ids| ids.extend([n, n + 1]));
                assert_eq!(ids, [n, n + 1], "round {round}");
            }
        }
        assert!(cache.short.len() + cache.long.len() <= MAX_WORDS);
    }
}
