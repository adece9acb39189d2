//! What the rules look at besides repetition: counts of words and lines.
//!
//! Words are separated by white space, so punctuation belongs to the word before it. A word of punctuation alone has
//! no length: it counts where symbols are counted, and is left out of the number of words and of their mean length,
//! as in datatrove (`gopher_quality_filter.py`). Blank lines count nowhere. Shares are from 0 to 1.

use std::collections::HashSet;

use super::repetition::Duplicates;
use crate::words::words;

/// Gopher's eight stop words: hardly any English prose does without them.
pub(super) const STOP_WORDS: [&str; 8] = ["the", "be", "to", "of", "and", "that", "have", "with"];

/// The counts of a page's prose.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProseCounts {
    /// Words with something other than punctuation in them.
    pub n_words: usize,
    /// Mean length of those words in characters.
    pub mean_word_chars: f64,
    /// `#` per word of any kind.
    pub hashes_per_word: f64,
    /// Ellipses per word of any kind.
    pub ellipses_per_word: f64,
    /// Share of words with a letter.
    pub alphabetic_words: f64,
    /// Distinct stop words.
    pub n_stop_words: usize,
    /// Share of lines that start with a bullet.
    pub bullet_lines: f64,
    /// Share of lines that end with an ellipsis.
    pub ellipsis_lines: f64,
    /// Share of lines that end like a sentence.
    pub punctuated_lines: f64,
    /// Share of lines of at most the given number of characters.
    pub short_lines: f64,
    /// Share of characters, line breaks apart, in lines that occurred before.
    pub repeated_line_chars: f64,
    /// Line breaks per word.
    pub breaks_per_word: f64,
    /// Sentences, by the marks that end them.
    pub n_sentences: usize,
}

impl ProseCounts {
    /// Counts `text`; lines of at most `short_line_chars` characters are short.
    pub fn of(text: &str, short_line_chars: usize) -> Self {
        let text = text.trim();
        let all_words: Vec<&str> = text.split_whitespace().collect();
        let solid: Vec<usize> =
            all_words.iter().filter(|word| word.chars().any(is_solid)).map(|word| word.chars().count()).collect();
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let per_word = |n: usize| part(n, all_words.len());
        let line_share = |holds: &dyn Fn(&str) -> bool| part(lines.iter().filter(|l| holds(l)).count(), lines.len());
        let distinct: HashSet<String> = words(text).into_iter().collect();
        Self {
            n_words: solid.len(),
            mean_word_chars: part(solid.iter().sum(), solid.len()),
            hashes_per_word: per_word(text.matches('#').count()),
            ellipses_per_word: per_word(text.matches("...").count() + text.matches('…').count()),
            alphabetic_words: per_word(all_words.iter().filter(|w| w.chars().any(char::is_alphabetic)).count()),
            n_stop_words: STOP_WORDS.iter().filter(|stop| distinct.contains(**stop)).count(),
            bullet_lines: line_share(&|line| line.trim_start().starts_with(['-', '*', '•', '‣'])),
            ellipsis_lines: line_share(&|line| line.trim_end().ends_with("...") || line.trim_end().ends_with('…')),
            punctuated_lines: line_share(&|line| ends_like_a_sentence(line.trim_end())),
            short_lines: line_share(&|line| line.chars().count() <= short_line_chars),
            repeated_line_chars: part(
                Duplicates::of(lines.iter().copied()).n_chars,
                text.chars().filter(|&c| c != '\n').count(),
            ),
            breaks_per_word: per_word(text.matches('\n').count()),
            n_sentences: lines.iter().map(|line| n_sentences(line)).sum(),
        }
    }
}

/// Is `c` more than punctuation, so that a word may consist of it?
fn is_solid(c: char) -> bool {
    let is_general_punctuation =
        matches!(c, '\u{2010}'..='\u{203F}' | '\u{3000}'..='\u{303F}' | '\u{FF00}'..='\u{FF0F}');
    let is_punctuation = c.is_ascii_punctuation() || is_general_punctuation || matches!(c, '«' | '»' | '¡' | '¿' | '·');
    !is_punctuation && !c.is_control()
}

/// Is the last mark, closing quotes and brackets apart, one that ends a sentence?
fn ends_like_a_sentence(text: &str) -> bool {
    const CLOSING: [char; 7] = ['"', '\'', '”', '’', '»', ')', ']'];
    text.trim_end_matches(CLOSING).ends_with(['.', '!', '?', '。', '！', '？', '؟', '।', '‽'])
}

/// The words of a line that end like a sentence, and one for what stands behind the last of them.
fn n_sentences(line: &str) -> usize {
    let n = line.split_whitespace().filter(|word| ends_like_a_sentence(word)).count();
    n + usize::from(line.split_whitespace().last().is_some_and(|word| !ends_like_a_sentence(word)))
}

fn part(n: usize, of: usize) -> f64 {
    if of == 0 { 0.0 } else { n as f64 / of as f64 }
}
