//! Training: words are counted on all threads, and their pairs are joined in order of frequency.
//!
//! Problem: text is long, and most of it repeats. So each distinct word is stored once with the number of times that it
//! occurs; [`learner`](mod@crate::learner) makes the merges from that table.
//!
//! Text is counted as it stands: special tokens in it are plain text. A pair whose text would spell a special token is
//! not merged, so that no text can encode to one (here, and only here, we differ from `tokenizers`).

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use foldhash::fast::RandomState;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    PreTokenizer, SPECIAL_TOKENS, Tokenizer, TokenizerError,
    added::{AddedToken, AddedTokens},
    bytes_to_unicode::to_visible,
    learner::Learner,
    pipeline::Pipeline,
    pretokenize::parts_of,
    tokenizer::{Merge, Pair, Parts},
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
    /// How text is cut into words.
    #[serde(default)]
    pub pretokenizer: PreTokenizer,
}
// ANCHOR_END: train_config

impl TrainConfig {
    /// The book's special tokens, and pairs that occur at least twice.
    pub fn with_vocab_size(vocab_size: usize) -> Self {
        Self {
            vocab_size,
            special_tokens: book_special_tokens(),
            min_frequency: default_min_frequency(),
            pretokenizer: PreTokenizer::default(),
        }
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
    let special = config.special_tokens.iter().zip(0..).map(|(text, id)| AddedToken::special(text, id));
    let pipeline = Pipeline { pretokenizer: config.pretokenizer, ..Pipeline::default() };
    let added = AddedTokens::new(special.collect(), &pipeline)?;
    let counts = count_words(texts, config.pretokenizer);
    let (n_words, n_distinct_words) = (counts.values().sum(), counts.len());

    let (learned, stop) = Learner::new(&config.special_tokens, counts).learn(config.vocab_size, config.min_frequency);
    let summary = TrainSummary {
        n_bytes,
        n_words,
        n_distinct_words,
        vocab_size_asked: config.vocab_size,
        vocab_size: learned.tokens.len(),
        min_frequency: config.min_frequency,
        stop,
    };
    let parts =
        Parts { tokens: learned.tokens, byte_tokens: Vec::new(), merges: ranked(learned.merges), added, pipeline };
    let tokenizer = Tokenizer::from_parts(parts).map_err(|missing| {
        let token = to_visible(&[missing.0]);
        TokenizerError::SpecialToken { token, reason: "hides a byte; choose another text" }
    })?;
    Ok((tokenizer, summary))
}

// ANCHOR: count_words
/// How often each word occurs.
pub(crate) type WordCounts<'t> = HashMap<&'t str, u64, RandomState>;

/// Counts words on all threads; sums do not depend on who counted what.
fn count_words<'t, T: AsRef<str> + Sync>(texts: &'t [T], pretokenizer: PreTokenizer) -> WordCounts<'t> {
    // One long text is work for all threads too.
    let parts: Vec<&str> = texts.iter().flat_map(|text| parts_of(text.as_ref(), PART_BYTES)).collect();
    let count_part = |counts, part: &&'t str| count_into(counts, pretokenizer.words(part));
    parts.par_iter().fold(WordCounts::default, count_part).reduce(WordCounts::default, add_counts)
}

fn count_into<'t>(mut counts: WordCounts<'t>, words: impl Iterator<Item = &'t str>) -> WordCounts<'t> {
    for word in words {
        *counts.entry(word).or_default() += 1;
    }
    counts
}

fn add_counts<'t>(left: WordCounts<'t>, right: WordCounts<'t>) -> WordCounts<'t> {
    let (mut more, fewer) = if left.len() < right.len() { (right, left) } else { (left, right) };
    for (word, count) in fewer {
        *more.entry(word).or_default() += count;
    }
    more
}

const PART_BYTES: usize = 1 << 18;
// ANCHOR_END: count_words

/// A pair that was merged twice (its token was made again by another pair) keeps its last rank, as in `tokenizers`.
fn ranked(merges: Vec<(Pair, u32)>) -> Vec<(Pair, Merge)> {
    let mut seen = HashSet::new();
    let mut kept: Vec<_> = merges.into_iter().rev().filter(|&(pair, _)| seen.insert(pair)).collect();
    kept.reverse();
    kept.into_iter().zip(0..).map(|((pair, new_id), rank)| (pair, Merge { rank, new_id })).collect()
}
