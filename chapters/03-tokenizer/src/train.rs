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
//! Text is counted as it stands: special tokens in it are plain text. A pair whose text would spell a special token is
//! not merged, so that no text can encode to one (here, and only here, we differ from `tokenizers`).

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap, HashMap, HashSet},
    fmt,
};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    SPECIAL_TOKENS, Tokenizer, TokenizerError,
    bytes_to_unicode::{bytes_in_id_order, to_visible},
    pretokenize,
    special::Specials,
    tokenizer::Pair,
};

// ANCHOR: train_config
/// What to learn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Ids in all: special tokens, 256 bytes, and merges for the rest.
    pub vocab_size: usize,
    /// Tokens that text cannot spell; their ids are their places in this list.
    #[serde(default = "book_special_tokens")]
    pub special_tokens: Vec<String>,
    /// Pairs that occur less often are not merged.
    #[serde(default = "default_min_frequency")]
    pub min_frequency: u64,
}
// ANCHOR_END: train_config

impl TrainConfig {
    /// The book's special tokens, and pairs that occur at least twice.
    pub fn with_vocab_size(vocab_size: usize) -> Self {
        Self { vocab_size, special_tokens: book_special_tokens(), min_frequency: default_min_frequency() }
    }

    /// Checks that the vocabulary has room for what must be in it, and ids for what may be.
    ///
    /// # Errors
    /// A vocabulary that is too small for the special tokens and the bytes, or too large for 32-bit ids.
    pub fn validate(&self) -> Result<(), TokenizerError> {
        let n_special = self.special_tokens.len();
        let minimum = n_special + 256;
        let vocab_size = self.vocab_size;
        if vocab_size < minimum {
            return Err(TokenizerError::VocabTooSmall { vocab_size, n_special, minimum });
        }
        if vocab_size > u32::MAX as usize {
            return Err(TokenizerError::VocabTooLarge { vocab_size });
        }
        Ok(())
    }
}

fn book_special_tokens() -> Vec<String> {
    SPECIAL_TOKENS.map(String::from).to_vec()
}

fn default_min_frequency() -> u64 {
    2
}

/// Why training stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The vocabulary has the size that was asked for.
    Full,
    /// No pair is left that occurs at least `min_frequency` times.
    NoMorePairs,
}

/// What training saw and made; [`Display`](fmt::Display) says it in one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainSummary {
    /// Bytes of text.
    pub n_bytes: u64,
    /// Words in the text, repetitions included.
    pub n_words: u64,
    /// Words that differ from each other.
    pub n_distinct_words: usize,
    /// The size that was asked for.
    pub vocab_size_asked: usize,
    /// The size that was reached.
    pub vocab_size: usize,
    /// The least count of a merged pair.
    pub min_frequency: u64,
    /// Why it stopped.
    pub stop: Stop,
}

impl fmt::Display for TrainSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { n_bytes, n_words, n_distinct_words, vocab_size_asked, vocab_size, min_frequency, .. } = self;
        write!(f, "{vocab_size} tokens from {n_bytes} bytes, {n_words} words, {n_distinct_words} of them distinct")?;
        match self.stop {
            Stop::Full => Ok(()),
            Stop::NoMorePairs => write!(
                f,
                "; {vocab_size_asked} were asked for, but no further pair occurs {min_frequency} times: \
                 give more text or a smaller vocab_size"
            ),
        }
    }
}

pub(crate) fn train<T: AsRef<str> + Sync>(
    texts: &[T],
    config: &TrainConfig,
) -> Result<(Tokenizer, TrainSummary), TokenizerError> {
    config.validate()?;
    let n_bytes: u64 = texts.iter().map(|text| text.as_ref().len() as u64).sum();
    if n_bytes == 0 {
        return Err(TokenizerError::EmptyCorpus { n_texts: texts.len() });
    }
    let special_ids: Vec<(String, u32)> = config.special_tokens.iter().cloned().zip(0..).collect();
    let specials = Specials::new(&special_ids)?;
    let counts = count_words(texts);
    let (n_words, n_distinct_words) = (counts.values().sum(), counts.len());

    let mut learner = Learner::new(&config.special_tokens, counts);
    let stop = learner.learn(config.vocab_size, config.min_frequency);
    let summary = TrainSummary {
        n_bytes,
        n_words,
        n_distinct_words,
        vocab_size_asked: config.vocab_size,
        vocab_size: learner.vocab.tokens.len(),
        min_frequency: config.min_frequency,
        stop,
    };
    let merges = last_of_each_pair(learner.merges);
    let tokenizer = Tokenizer::from_parts(learner.vocab.tokens, &merges, specials).map_err(|missing| {
        let token = to_visible(&[missing.0]);
        TokenizerError::SpecialToken { token, reason: "hides a byte; choose another text" }
    })?;
    Ok((tokenizer, summary))
}

// ANCHOR: count_words
/// How often each word occurs, counted on all threads; sums do not depend on who counted what.
fn count_words<T: AsRef<str> + Sync>(texts: &[T]) -> HashMap<&str, u64> {
    let count_text = |mut counts: HashMap<_, _>, text| {
        for word in pretokenize(T::as_ref(text)) {
            *counts.entry(word).or_default() += 1;
        }
        counts
    };
    let add = |mut left: HashMap<_, u64>, mut right: HashMap<_, u64>| {
        if left.len() < right.len() {
            std::mem::swap(&mut left, &mut right);
        }
        for (word, count) in right {
            *left.entry(word).or_default() += count;
        }
        left
    };
    texts.par_iter().fold(HashMap::new, count_text).reduce(HashMap::new, add)
}
// ANCHOR_END: count_words

// ANCHOR: learner
/// The state of training. Counts are of windows, so `aaa` holds the pair `a a` twice.
struct Learner {
    words: Vec<Word>,
    pairs: HashMap<Pair, PairUse>,
    /// The most frequent pair on top; of equals, the one with the smaller ids. Counts may be out of date.
    candidates: BinaryHeap<(i64, Reverse<Pair>)>,
    vocab: GrowingVocab,
    merges: Vec<(Pair, u32)>,
}

struct Word {
    ids: Vec<u32>,
    n_times: i64,
}

#[derive(Default)]
struct PairUse {
    count: i64,
    /// Places in `Learner::words` of all words that hold the pair, and some that no longer do.
    words: Vec<usize>,
}

impl Learner {
    fn learn(&mut self, vocab_size: usize, min_frequency: u64) -> Stop {
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
        let mut raised = BTreeSet::new();
        for place in places.unwrap_or_default() {
            let Word { ids, n_times } = &mut self.words[place];
            join_in_place(ids, pair, new_id, |changed, by| {
                let pair_use = self.pairs.entry(changed).or_default();
                pair_use.count += by * *n_times;
                if by > 0 {
                    raised.insert(changed);
                    if pair_use.words.last() != Some(&place) {
                        pair_use.words.push(place);
                    }
                }
            });
        }
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

/// Replaces each `pair`, from the left, by `new_id`; `change` hears of every neighbouring pair that came or went.
fn join_in_place(ids: &mut Vec<u32>, pair: Pair, new_id: u32, mut change: impl FnMut(Pair, i64)) {
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
    ids.truncate(written);
}
// ANCHOR_END: learner

impl Learner {
    fn new(special_tokens: &[String], counts: HashMap<&str, u64>) -> Self {
        let vocab = GrowingVocab::new(special_tokens);
        let mut id_by_byte = [0; 256];
        for (byte, id) in bytes_in_id_order().into_iter().zip(special_tokens.len() as u32..) {
            id_by_byte[usize::from(byte)] = id;
        }
        let mut counts: Vec<(&str, u64)> = counts.into_iter().collect();
        counts.sort_unstable(); // The order of a hash table differs between runs.
        let to_word = |(word, n_times): (&str, u64)| Word {
            ids: word.bytes().map(|byte| id_by_byte[usize::from(byte)]).collect(),
            n_times: n_times as i64,
        };
        let words = counts.into_iter().map(to_word).collect();
        let mut learner =
            Self { words, pairs: HashMap::new(), candidates: BinaryHeap::new(), vocab, merges: Vec::new() };
        learner.count_pairs();
        learner
    }

    fn count_pairs(&mut self) {
        for (place, word) in self.words.iter().enumerate() {
            for pair in word.ids.windows(2) {
                let pair_use = self.pairs.entry((pair[0], pair[1])).or_default();
                pair_use.count += word.n_times;
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

/// A pair that was merged twice (its token was made again by another pair) keeps its last rank, as in `tokenizers`.
fn last_of_each_pair(merges: Vec<(Pair, u32)>) -> Vec<(Pair, u32)> {
    let mut seen = HashSet::new();
    let mut kept: Vec<_> = merges.into_iter().rev().filter(|&(pair, _)| seen.insert(pair)).collect();
    kept.reverse();
    kept
}
