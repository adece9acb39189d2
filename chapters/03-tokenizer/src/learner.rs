//! BPE training that updates counts instead of recounting.
//!
//! Problem: a merge changes only the words that hold its pair, and in them only the neighbours. So keep, for each pair,
//! its count and the words it may be in; a merge visits those words and corrects the counts it changes:
//!
//! ```text
//! … p l r n …  →  … p X n …     count(p,l) -= w, count(p,X) += w, count(r,n) -= w, count(X,n) += w
//! ```
//!
//! (w: how often the word occurs). The next pair comes from a heap. Its entries may be out of date: counts of pairs
//! that exist only fall, so an entry whose count is wrong goes back with the right one.
//!
//! Of equal counts the smaller pair of ids wins, which makes the result independent of the order of texts, hash tables
//! and threads, and equal to `BpeTrainer` of the `tokenizers` crate (tests: `tests/oracle.rs`).
//!
//! Source: Sennrich et al., arXiv 1508.07909, `learn_bpe.py`, which keeps the same index of pairs.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, HashSet},
};

use foldhash::fast::RandomState;

use crate::{
    bytes_to_unicode::{bytes_in_id_order, to_visible},
    tokenizer::Pair,
    train::{Stop, WordCounts},
};

// ANCHOR: learner
/// The state of training. Counts are of windows, so `aaa` holds the pair `a a` twice.
pub(crate) struct Learner {
    words: Words,
    pairs: HashMap<Pair, PairUse, RandomState>,
    /// The most frequent pair on top; of equals, the one with the smaller ids. Counts may be out of date.
    candidates: BinaryHeap<(i64, Reverse<Pair>)>,
    vocab: GrowingVocab,
    merges: Vec<(Pair, u32)>,
}

/// The symbols of all distinct words, one after another. A join makes its word shorter and leaves a gap behind it.
struct Words {
    ids: Vec<u32>,
    spans: Vec<Span>,
}

#[derive(Clone, Copy)]
struct Span {
    start: usize,
    len: usize,
    n_times: i64,
}

#[derive(Default)]
struct PairUse {
    count: i64,
    /// Places in `Words::spans` of all words that hold the pair, and some that no longer do.
    words: Vec<u32>,
}

impl Learner {
    /// Merges until the vocabulary has `vocab_size` tokens or no pair occurs `min_frequency` times.
    pub(crate) fn learn(mut self, vocab_size: usize, min_frequency: u64) -> (Learned, Stop) {
        let stop = self.merge_until(vocab_size, min_frequency);
        (Learned { tokens: self.vocab.tokens, merges: self.merges }, stop)
    }

    fn merge_until(&mut self, vocab_size: usize, min_frequency: u64) -> Stop {
        while self.vocab.tokens.len() < vocab_size {
            let Some((count, Reverse(pair))) = self.candidates.pop() else { return Stop::NoMorePairs };
            let count_now = self.pairs.get(&pair).map_or(0, |pair_use| pair_use.count);
            if count_now != count {
                self.candidates.push((count_now, Reverse(pair)));
                continue;
            }
            if count < 1 || (count as u64) < min_frequency {
                return Stop::NoMorePairs;
            }
            if let Some(new_id) = self.vocab.id_of_joined(pair) {
                self.merges.push((pair, new_id));
                self.merge(pair, new_id);
            }
        }
        Stop::Full
    }

    /// Joins `pair` in every word that holds it, and corrects the counts of the pairs around it.
    fn merge(&mut self, pair: Pair, new_id: u32) {
        let places = self.pairs.get_mut(&pair).map(|pair_use| std::mem::take(&mut pair_use.words));
        let mut raised = Vec::new();
        for place in places.unwrap_or_default() {
            let span = &mut self.words.spans[place as usize];
            let ids = &mut self.words.ids[span.start..][..span.len];
            span.len = join_in_place(ids, pair, new_id, |changed, by| {
                let pair_use = self.pairs.entry(changed).or_default();
                pair_use.count += by * span.n_times;
                if by > 0 {
                    if pair_use.words.last() != Some(&place) {
                        pair_use.words.push(place);
                    }
                    if raised.last() != Some(&changed) {
                        raised.push(changed);
                    }
                }
            });
        }
        raised.sort_unstable();
        raised.dedup();
        for pair in raised {
            self.offer(pair);
        }
    }

    fn offer(&mut self, pair: Pair) {
        let count = self.pairs.get(&pair).map_or(0, |pair_use| pair_use.count);
        if count > 0 {
            self.candidates.push((count, Reverse(pair)));
        }
    }
}

/// Replaces each `pair`, from the left, by `new_id` and returns how many ids are left; `change` hears of every neighbouring
/// pair that came or went.
fn join_in_place(ids: &mut [u32], pair: Pair, new_id: u32, mut change: impl FnMut(Pair, i64)) -> usize {
    let (left, right) = pair;
    let (mut read, mut written) = (0_usize, 0_usize);
    while read < ids.len() {
        let is_pair = ids[read] == left && ids.get(read + 1) == Some(&right);
        if is_pair {
            if let Some(before) = written.checked_sub(1) {
                change((ids[before], left), -1);
                change((ids[before], new_id), 1);
            }
            if let Some(&after) = ids.get(read + 2) {
                change((right, after), -1);
                change((new_id, after), 1);
            }
        }
        ids[written] = if is_pair { new_id } else { ids[read] };
        read += if is_pair { 2 } else { 1 };
        written += 1;
    }
    written
}
// ANCHOR_END: learner

/// What training made.
pub(crate) struct Learned {
    pub(crate) tokens: Vec<Vec<u8>>,
    pub(crate) merges: Vec<(Pair, u32)>,
}

impl Learner {
    pub(crate) fn new(special_tokens: &[String], counts: WordCounts<'_>) -> Self {
        let vocab = GrowingVocab::new(special_tokens);
        let mut id_by_byte = [0; 256];
        for (byte, id) in bytes_in_id_order().into_iter().zip(special_tokens.len() as u32..) {
            id_by_byte[usize::from(byte)] = id;
        }
        let mut counts: Vec<(&str, u64)> = counts.into_iter().collect();
        counts.sort_unstable(); // The order of a hash table differs between runs.
        let mut words = Words { ids: Vec::new(), spans: Vec::with_capacity(counts.len()) };
        for (word, n_times) in counts {
            words.spans.push(Span { start: words.ids.len(), len: word.len(), n_times: n_times as i64 });
            words.ids.extend(word.bytes().map(|byte| id_by_byte[usize::from(byte)]));
        }
        let (pairs, candidates) = (HashMap::default(), BinaryHeap::new());
        let mut learner = Self { words, pairs, candidates, vocab, merges: Vec::new() };
        learner.count_pairs();
        learner
    }

    fn count_pairs(&mut self) {
        for (span, place) in self.words.spans.iter().zip(0..) {
            for pair in self.words.ids[span.start..][..span.len].windows(2) {
                let pair_use = self.pairs.entry((pair[0], pair[1])).or_default();
                pair_use.count += span.n_times;
                if pair_use.words.last() != Some(&place) {
                    pair_use.words.push(place);
                }
            }
        }
        self.candidates = self.pairs.iter().map(|(&pair, pair_use)| (pair_use.count, Reverse(pair))).collect();
    }
}

/// The tokens so far, and the id of each by its bytes.
struct GrowingVocab {
    tokens: Vec<Vec<u8>>,
    id_by_bytes: HashMap<Vec<u8>, u32>,
    special_tokens: HashSet<String>,
}

impl GrowingVocab {
    fn new(special_tokens: &[String]) -> Self {
        let mut tokens: Vec<Vec<u8>> = special_tokens.iter().map(|text| text.clone().into_bytes()).collect();
        tokens.extend(bytes_in_id_order().map(|byte| vec![byte]));
        let ordinary = tokens.iter().cloned().zip(0..).skip(special_tokens.len());
        Self { id_by_bytes: ordinary.collect(), special_tokens: special_tokens.iter().cloned().collect(), tokens }
    }

    /// The id of the pair's joined bytes: a new one, or the old one if another pair has made the same bytes before.
    /// `None` if they spell a special token.
    fn id_of_joined(&mut self, (left, right): Pair) -> Option<u32> {
        let bytes = [self.tokens[left as usize].as_slice(), &self.tokens[right as usize]].concat();
        if self.special_tokens.contains(&to_visible(&bytes)) {
            return None;
        }
        let new_id = self.tokens.len() as u32;
        let id = *self.id_by_bytes.entry(bytes.clone()).or_insert(new_id);
        if id == new_id {
            self.tokens.push(bytes);
        }
        Some(id)
    }
}
