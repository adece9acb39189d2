//! The thresholds of the quality rules, with the values that their papers publish.

use serde::{Deserialize, Serialize};

use super::prose::STOP_WORDS;
use crate::setting::{InvalidSetting, holds, share};
use crate::word_lists::{SPAM_WORDS, WordList};
use crate::words::words;

/// More than any page has per word.
const NO_LIMIT: f64 = 1e9;

// ANCHOR: quality_config
/// The thresholds. A share of 1 that must not be exceeded, or a least number of 0, switches its rule off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QualityConfig {
    /// Least number of words, code included (Gopher: 50).
    pub min_words: usize,
    /// Greatest number of words (Gopher: 100,000).
    pub max_words: usize,
    /// Least mean word length in characters (Gopher: 3).
    pub min_mean_word_chars: f64,
    /// Greatest mean word length in characters (Gopher: 10).
    pub max_mean_word_chars: f64,
    /// Greatest number of `#`, and of ellipses, per word (Gopher: 0.1).
    pub max_symbols_per_word: f64,
    /// Greatest share of lines that start with a bullet (Gopher: 0.9).
    pub max_bullet_lines: f64,
    /// Greatest share of lines that end with an ellipsis (Gopher: 0.3).
    pub max_ellipsis_lines: f64,
    /// Least share of words with a letter in them (Gopher: 0.8).
    pub min_alphabetic_words: f64,
    /// Least number of distinct stop words of Gopher's eight (Gopher: 2).
    pub min_stop_words: usize,
    /// Greatest share of paragraphs that occurred before on the page (Gopher: 0.3).
    pub max_duplicate_paragraphs: f64,
    /// Greatest share of characters in such paragraphs (Gopher: 0.2).
    pub max_duplicate_paragraph_chars: f64,
    /// Greatest share of lines that occurred before on the page (Gopher: 0.3).
    pub max_duplicate_lines: f64,
    /// Greatest share of characters in such lines (Gopher: 0.2).
    pub max_duplicate_line_chars: f64,
    /// Greatest share of characters in the most frequent run of 2, 3 and 4 words (Gopher: 0.2, 0.18, 0.16).
    pub max_top_ngram_chars: [f64; 3],
    /// Greatest share of characters in repeated runs of 5 to 10 words (Gopher: 0.15, 0.14 ... 0.1).
    pub max_duplicate_ngram_chars: [f64; 6],
    /// Phrases of unfinished pages (C4: "lorem ipsum").
    pub unfinished: Vec<String>,
    /// Does a curly bracket in the prose betray program text (C4: yes)?
    pub reject_curly_brackets: bool,
    /// Least number of sentences (C4: 5 as published, 3 in the paper's first version).
    pub min_sentences: usize,
    /// Least share of lines that end like a sentence (FineWeb: 0.12).
    pub min_punctuated_lines: f64,
    /// Greatest share of short lines (FineWeb: 0.67).
    pub max_short_lines: f64,
    /// Lines of at most so many characters are short (FineWeb: 30).
    pub short_line_chars: usize,
    /// As `max_duplicate_line_chars`, of the characters without line breaks (FineWeb: 0.1; datatrove's default: 0.01).
    pub max_repeated_line_chars: f64,
    /// Greatest number of line breaks per word (datatrove's `list_ratio`: 0.3).
    pub max_breaks_per_word: f64,
    /// Words that mark spam in the invented world (C4 has a list of some 400; ours is a harmless stand-in).
    pub spam_words: Vec<String>,
    /// Greatest share of spam words (C4: none at all).
    pub max_spam_words: f64,
    /// More lists of unwanted words, each with a threshold of its own.
    pub word_lists: Vec<WordList>,
}
// ANCHOR_END: quality_config

impl Default for QualityConfig {
    /// For short pages of prose. Gopher's least numbers of words and of stop words would drop good ones, and so would its
    /// limits for the most frequent run: on a page of fifty words, four words said three times are a sixth of it.
    fn default() -> Self {
        Self {
            min_words: 30,
            min_stop_words: 1,
            max_top_ngram_chars: [0.3, 0.27, 0.24],
            unfinished: vec!["lorem ipsum".into(), "under construction".into()],
            reject_curly_brackets: false,
            min_sentences: 0,
            max_short_lines: 1.0,
            max_repeated_line_chars: 1.0,
            max_breaks_per_word: NO_LIMIT,
            spam_words: SPAM_WORDS.map(String::from).into(),
            ..Self::web()
        }
    }
}

impl QualityConfig {
    /// The thresholds as published, for pages of the web.
    pub fn web() -> Self {
        Self {
            min_words: 50,
            max_words: 100_000,
            min_mean_word_chars: 3.0,
            max_mean_word_chars: 10.0,
            max_symbols_per_word: 0.1,
            max_bullet_lines: 0.9,
            max_ellipsis_lines: 0.3,
            min_alphabetic_words: 0.8,
            min_stop_words: 2,
            max_duplicate_paragraphs: 0.3,
            max_duplicate_paragraph_chars: 0.2,
            max_duplicate_lines: 0.3,
            max_duplicate_line_chars: 0.2,
            max_top_ngram_chars: [0.2, 0.18, 0.16],
            max_duplicate_ngram_chars: [0.15, 0.14, 0.13, 0.12, 0.11, 0.1],
            unfinished: vec!["lorem ipsum".into()],
            reject_curly_brackets: true,
            min_sentences: 5,
            min_punctuated_lines: 0.12,
            max_short_lines: 0.67,
            short_line_chars: 30,
            max_repeated_line_chars: 0.1,
            max_breaks_per_word: 0.3,
            spam_words: Vec::new(),
            max_spam_words: 0.02,
            word_lists: WordList::built_in(),
        }
    }

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
            max_duplicate_paragraphs: 0.9,
            max_duplicate_paragraph_chars: 0.9,
            max_duplicate_lines: 0.9,
            max_duplicate_line_chars: 0.9,
            max_top_ngram_chars: [0.9; 3],
            max_duplicate_ngram_chars: [0.9; 6],
            min_punctuated_lines: 0.0,
            unfinished: Vec::new(),
            word_lists: Vec::new(),
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
        for (name, number) in [
            ("quality.max_symbols_per_word", self.max_symbols_per_word),
            ("quality.max_breaks_per_word", self.max_breaks_per_word),
        ] {
            holds(number >= 0.0, name, number, "choose a number of 0 or more")?;
        }
        let attainable = self.min_stop_words <= STOP_WORDS.len();
        holds(attainable, "quality.min_stop_words", self.min_stop_words, "choose from 0 to 8; there are no more")?;
        self.max_top_ngram_chars.iter().try_for_each(|&max| share("quality.max_top_ngram_chars", max))?;
        self.max_duplicate_ngram_chars.iter().try_for_each(|&max| share("quality.max_duplicate_ngram_chars", max))?;
        for (name, value) in [
            ("quality.max_bullet_lines", self.max_bullet_lines),
            ("quality.max_ellipsis_lines", self.max_ellipsis_lines),
            ("quality.min_alphabetic_words", self.min_alphabetic_words),
            ("quality.max_duplicate_paragraphs", self.max_duplicate_paragraphs),
            ("quality.max_duplicate_paragraph_chars", self.max_duplicate_paragraph_chars),
            ("quality.max_duplicate_lines", self.max_duplicate_lines),
            ("quality.max_duplicate_line_chars", self.max_duplicate_line_chars),
            ("quality.min_punctuated_lines", self.min_punctuated_lines),
            ("quality.max_short_lines", self.max_short_lines),
            ("quality.max_repeated_line_chars", self.max_repeated_line_chars),
            ("quality.max_spam_words", self.max_spam_words),
        ] {
            share(name, value)?;
        }
        // Pages are compared in lower case, and a phrase of nothing is on every page.
        let can_match = |phrase: &String| !phrase.trim().is_empty() && *phrase == phrase.to_lowercase();
        for phrase in &self.unfinished {
            holds(can_match(phrase), "quality.unfinished", format!("{phrase:?}"), "write phrases in lower case")?;
        }
        for word in &self.spam_words {
            let is_word = words(word) == [word.as_str()];
            holds(is_word, "quality.spam_words", format!("{word:?}"), "write single words in lower case")?;
        }
        self.word_lists.iter().try_for_each(WordList::validate)
    }
}
