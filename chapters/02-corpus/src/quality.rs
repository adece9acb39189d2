//! Drops pages that are not prose worth reading, by named rules with thresholds.
//!
//! Most rules are Gopher's (arXiv:2112.11446, appendix A.1), some C4's (arXiv:1910.10683, section 2.2) and FineWeb's
//! (arXiv:2406.17557, section 3.6). Each looks at one simple count of the page, so each can be checked by eye and tuned
//! alone. A page is dropped by the first rule that it breaks; the rule's name is the reason in the funnel.
//!
//! Rules read the prose: fenced code is left out, except that a page of mere code may be long enough.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::language::prose;
use crate::setting::{InvalidSetting, holds, share};
use crate::words::{hash_words, words};

/// Gopher's eight stop words: hardly any English prose does without them.
const STOP_WORDS: [&str; 8] = ["the", "be", "to", "of", "and", "that", "have", "with"];

// ANCHOR: quality_config
/// The thresholds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QualityConfig {
    /// Least number of words, code included (Gopher: 50; our pages are short).
    pub min_words: usize,
    /// Greatest number of words (Gopher: 100,000).
    pub max_words: usize,
    /// Least mean word length in characters (Gopher: 3).
    pub min_mean_word_chars: f64,
    /// Greatest mean word length in characters (Gopher: 10).
    pub max_mean_word_chars: f64,
    /// Greatest number of `#` and ellipses per word (Gopher: 0.1).
    pub max_symbols_per_word: f64,
    /// Greatest share of lines that start with a bullet (Gopher: 0.9).
    pub max_bullet_lines: f64,
    /// Greatest share of lines that end with an ellipsis (Gopher: 0.3).
    pub max_ellipsis_lines: f64,
    /// Least share of words with a letter in them (Gopher: 0.8).
    pub min_alphabetic_words: f64,
    /// Least number of distinct stop words (Gopher: 2; our pages are short).
    pub min_stop_words: usize,
    /// Greatest share of lines that occurred before on the page (Gopher: 0.3).
    pub max_repeated_lines: f64,
    /// Greatest share of characters within repeated runs of five words (Gopher: 0.15).
    pub max_repeated_runs: f64,
    /// Least share of lines that end like a sentence (FineWeb: 0.12).
    pub min_sentence_lines: f64,
    /// Phrases of unfinished pages (C4: "lorem ipsum").
    pub unfinished: Vec<String>,
    /// Words that mark spam (C4 has a list of some 400; ours is a harmless stand-in).
    pub spam_words: Vec<String>,
    /// Greatest share of spam words (C4: none at all).
    pub max_spam_words: f64,
}
// ANCHOR_END: quality_config

/// The stand-in for a list of words that nobody wants a model to learn.
pub const SPAM_WORDS: [&str; 10] = [
    "smoochy",
    "flirtaroo",
    "cuddlecam",
    "kissaloo",
    "wigglebabe",
    "hotsipop",
    "nightwink",
    "snugglebet",
    "luckyspin",
    "jackpotz",
];

impl Default for QualityConfig {
    fn default() -> Self {
        Self {
            min_words: 30,
            max_words: 100_000,
            min_mean_word_chars: 3.0,
            max_mean_word_chars: 10.0,
            max_symbols_per_word: 0.1,
            max_bullet_lines: 0.9,
            max_ellipsis_lines: 0.3,
            min_alphabetic_words: 0.8,
            min_stop_words: 1,
            max_repeated_lines: 0.3,
            max_repeated_runs: 0.15,
            min_sentence_lines: 0.12,
            unfinished: vec!["lorem ipsum".into(), "under construction".into()],
            spam_words: SPAM_WORDS.map(String::from).into(),
            max_spam_words: 0.02,
        }
    }
}

impl QualityConfig {
    /// For technical documentation, which has long names, lists and signatures where prose has sentences. What repeats
    /// itself within a page (the methods of `i32`) is left to deduplication.
    pub fn documentation() -> Self {
        Self {
            min_words: 20,
            max_words: 200_000,
            max_mean_word_chars: 15.0,
            max_symbols_per_word: 0.5,
            max_bullet_lines: 1.0,
            min_alphabetic_words: 0.5,
            min_stop_words: 0,
            max_repeated_lines: 0.9,
            max_repeated_runs: 0.9,
            min_sentence_lines: 0.0,
            unfinished: Vec::new(),
            ..Self::default()
        }
    }

    /// Checks the ranges, and that the word lists are such as a page's words can match.
    ///
    /// # Errors
    /// The first setting outside its range.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        let ordered = self.min_words <= self.max_words;
        holds(ordered, "quality.min_words", self.min_words, "choose at most quality.max_words")?;
        let ordered = self.min_mean_word_chars <= self.max_mean_word_chars;
        let rule = "choose at most quality.max_mean_word_chars";
        holds(ordered, "quality.min_mean_word_chars", self.min_mean_word_chars, rule)?;
        let symbols = self.max_symbols_per_word;
        holds(symbols >= 0.0, "quality.max_symbols_per_word", symbols, "choose a number of 0 or more")?;
        let attainable = self.min_stop_words <= STOP_WORDS.len();
        holds(attainable, "quality.min_stop_words", self.min_stop_words, "choose from 0 to 8; there are no more")?;
        share("quality.max_bullet_lines", self.max_bullet_lines)?;
        share("quality.max_ellipsis_lines", self.max_ellipsis_lines)?;
        share("quality.min_alphabetic_words", self.min_alphabetic_words)?;
        share("quality.max_repeated_lines", self.max_repeated_lines)?;
        share("quality.max_repeated_runs", self.max_repeated_runs)?;
        share("quality.min_sentence_lines", self.min_sentence_lines)?;
        share("quality.max_spam_words", self.max_spam_words)?;
        // Pages are compared in lower case, and a phrase of nothing is on every page.
        let can_match = |phrase: &String| !phrase.trim().is_empty() && *phrase == phrase.to_lowercase();
        for phrase in &self.unfinished {
            holds(can_match(phrase), "quality.unfinished", format!("{phrase:?}"), "write phrases in lower case")?;
        }
        for word in &self.spam_words {
            let is_word = words(word) == [word.as_str()];
            holds(is_word, "quality.spam_words", format!("{word:?}"), "write single words in lower case")?;
        }
        Ok(())
    }
}

// ANCHOR: reject_reason
/// The name of the first rule that `text` breaks, or `None` to keep it.
pub fn reject_reason(text: &str, config: &QualityConfig) -> Option<&'static str> {
    let c = Counts::of(text, config);
    let rules = [
        ("too few words", c.n_all_words < config.min_words),
        ("too many words", c.n_all_words > config.max_words),
        ("unfinished", c.unfinished),
        ("spam words", c.spam_words > config.max_spam_words),
        ("symbols", c.symbols_per_word > config.max_symbols_per_word),
        ("words without letters", c.alphabetic_words < config.min_alphabetic_words),
        ("word length", c.mean_word_chars < config.min_mean_word_chars),
        ("word length", c.mean_word_chars > config.max_mean_word_chars),
        ("bullet lines", c.bullet_lines > config.max_bullet_lines),
        ("ellipsis lines", c.ellipsis_lines > config.max_ellipsis_lines),
        ("repeated lines", c.repeated_lines > config.max_repeated_lines),
        ("repeated runs", c.repeated_runs > config.max_repeated_runs),
        ("few stop words", c.n_stop_words < config.min_stop_words),
        ("few sentences", c.sentence_lines < config.min_sentence_lines),
    ];
    // A page of mere code has no prose to judge: only its length counts.
    let rules = if c.n_words == 0 { &rules[..2] } else { &rules[..] };
    rules.iter().find(|(_, broken)| *broken).map(|(name, _)| *name)
}
// ANCHOR_END: reject_reason

/// What the rules look at. Shares are from 0 to 1.
struct Counts {
    n_all_words: usize,
    n_words: usize,
    mean_word_chars: f64,
    symbols_per_word: f64,
    alphabetic_words: f64,
    n_stop_words: usize,
    bullet_lines: f64,
    ellipsis_lines: f64,
    sentence_lines: f64,
    repeated_lines: f64,
    repeated_runs: f64,
    spam_words: f64,
    unfinished: bool,
}

impl Counts {
    fn of(text: &str, config: &QualityConfig) -> Self {
        let prose = prose(text);
        let tokens: Vec<&str> = prose.split_whitespace().collect();
        let words = words(&prose);
        let lines: Vec<&str> = prose.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let lowercase = prose.to_lowercase();
        let symbols = prose.matches(['#', '…']).count() + prose.matches("...").count();
        let n_chars: usize = words.iter().map(|word| word.chars().count()).sum();
        let line_share = |holds: fn(&str) -> bool| part(lines.iter().filter(|line| holds(line)).count(), lines.len());
        Self {
            n_all_words: text.split_whitespace().count(),
            n_words: tokens.len(),
            mean_word_chars: part(n_chars, words.len()),
            symbols_per_word: part(symbols, tokens.len()),
            alphabetic_words: part(tokens.iter().filter(|t| t.chars().any(char::is_alphabetic)).count(), tokens.len()),
            n_stop_words: STOP_WORDS.iter().filter(|stop| words.iter().any(|word| word == *stop)).count(),
            bullet_lines: line_share(|line| line.starts_with(['-', '*', '•', '‣'])),
            ellipsis_lines: line_share(|line| line.ends_with("...") || line.ends_with('…')),
            sentence_lines: line_share(|line| line.ends_with(['.', '!', '?', ':', '"', '”', ')'])),
            repeated_lines: 1.0 - part(lines.iter().collect::<HashSet<_>>().len(), lines.len().max(1)),
            repeated_runs: repeated_runs(&words),
            spam_words: part(words.iter().filter(|word| config.spam_words.contains(word)).count(), words.len()),
            unfinished: config.unfinished.iter().any(|phrase| lowercase.contains(phrase.as_str())),
        }
    }
}

/// The share of characters that lie in a run of five words which occurred before.
fn repeated_runs(words: &[String]) -> f64 {
    const RUN: usize = 5;
    let mut seen = HashSet::new();
    let mut repeated = vec![false; words.len()];
    for (i, run) in words.windows(RUN).enumerate() {
        if !seen.insert(hash_words(run)) {
            repeated[i..i + RUN].fill(true);
        }
    }
    let chars = |keep: &dyn Fn(usize) -> bool| -> usize {
        words.iter().enumerate().filter(|(i, _)| keep(*i)).map(|(_, word)| word.chars().count()).sum()
    };
    part(chars(&|i| repeated[i]), chars(&|_| true))
}

fn part(n: usize, of: usize) -> f64 {
    if of == 0 { 0.0 } else { n as f64 / of as f64 }
}
