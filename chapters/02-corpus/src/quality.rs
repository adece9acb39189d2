//! Drops pages that are not prose worth reading, by named rules with thresholds.
//!
//! Each rule looks at one simple count of the page, so each can be checked by eye and tuned alone. A page is dropped by
//! the first rule that it breaks; the rule's name is the reason in the funnel. The rules of Gopher (arXiv:2112.11446,
//! appendix A.1), C4 (arXiv:1910.10683, section 2.2) and FineWeb (arXiv:2406.17557, section 3.6) are all here, except
//! that what C4 does to single lines is in [`crate::lines`]. What exactly is counted stands in [`ProseCounts`] and in
//! [`Repetition`].
//!
//! Rules read the prose: fenced code is left out, except that a page of mere code may be long enough.

mod config;
mod prose;
mod repetition;

pub use self::config::QualityConfig;
pub use self::prose::ProseCounts;
pub use self::repetition::{DUPLICATE_NGRAMS, Repetition, TOP_NGRAMS};
use crate::fences::prose;
use crate::setting::InvalidSetting;
use crate::word_lists::UnwantedWords;
use crate::words::words;

/// The rules with their thresholds and lists of words, ready to be asked.
#[derive(Debug, Clone)]
pub struct Quality {
    config: QualityConfig,
    unwanted: Vec<UnwantedWords>,
}

impl Quality {
    /// Checks the thresholds and loads the lists of words.
    ///
    /// # Errors
    /// A setting outside its range, or a list that cannot be read.
    pub fn new(config: &QualityConfig) -> Result<Self, InvalidSetting> {
        config.validate()?;
        let spam = UnwantedWords::new("spam_words", &config.spam_words, config.max_spam_words);
        let lists = config.word_lists.iter().map(UnwantedWords::load);
        let unwanted = std::iter::once(Ok(spam)).chain(lists).collect::<Result<_, _>>()?;
        Ok(Self { config: config.clone(), unwanted })
    }

    /// The name of the first rule that `text` breaks, or `None` to keep it.
    pub fn broken_rule(&self, text: &str) -> Option<&str> {
        let n_all_words = text.split_whitespace().count();
        if n_all_words < self.config.min_words {
            return Some("too_few_words");
        }
        if n_all_words > self.config.max_words {
            return Some("too_many_words");
        }
        let prose = prose(text);
        // A page of mere code has no prose to judge: only its length counts.
        if prose.trim().is_empty() {
            return None;
        }
        // The cheap rules come first: most bad pages need no runs counted.
        self.unwanted_rule(&prose)
            .or_else(|| prose_rule(&ProseCounts::of(&prose, self.config.short_line_chars), &self.config))
            .or_else(|| repetition_rule(&Repetition::of(&prose), &self.config))
    }

    fn unwanted_rule(&self, prose: &str) -> Option<&str> {
        let lowercase = prose.to_lowercase();
        if self.config.unfinished.iter().any(|phrase| lowercase.contains(phrase.as_str())) {
            return Some("unfinished");
        }
        if self.config.reject_curly_brackets && prose.contains('{') {
            return Some("curly_bracket");
        }
        let words = words(prose);
        self.unwanted.iter().find(|list| list.is_too_common_in(&words)).map(UnwantedWords::rule)
    }
}

// ANCHOR: rules
/// The rules about words and lines, in order.
fn prose_rule(c: &ProseCounts, config: &QualityConfig) -> Option<&'static str> {
    let rules = [
        ("hashes", c.hashes_per_word > config.max_symbols_per_word),
        ("ellipses", c.ellipses_per_word > config.max_symbols_per_word),
        ("words_without_letters", c.alphabetic_words < config.min_alphabetic_words),
        ("short_words", c.mean_word_chars < config.min_mean_word_chars),
        ("long_words", c.mean_word_chars > config.max_mean_word_chars),
        ("bullet_lines", c.bullet_lines > config.max_bullet_lines),
        ("ellipsis_lines", c.ellipsis_lines > config.max_ellipsis_lines),
        ("few_stop_words", c.n_stop_words < config.min_stop_words),
        ("few_sentences", c.n_sentences < config.min_sentences),
        ("few_punctuated_lines", c.punctuated_lines < config.min_punctuated_lines),
        ("short_lines", c.short_lines > config.max_short_lines),
        ("repeated_line_chars", c.repeated_line_chars > config.max_repeated_line_chars),
        ("line_breaks", c.breaks_per_word > config.max_breaks_per_word),
    ];
    rules.into_iter().find(|(_, broken)| *broken).map(|(name, _)| name)
}

/// The rules about what repeats itself, in order.
fn repetition_rule(r: &Repetition, config: &QualityConfig) -> Option<&'static str> {
    const TOP: [&str; 3] = ["top_2_gram", "top_3_gram", "top_4_gram"];
    const DUPLICATE: [&str; 6] = [
        "duplicate_5_grams",
        "duplicate_6_grams",
        "duplicate_7_grams",
        "duplicate_8_grams",
        "duplicate_9_grams",
        "duplicate_10_grams",
    ];
    let of_parts = [
        ("duplicate_paragraphs", r.paragraphs, config.max_duplicate_paragraphs),
        ("duplicate_paragraph_chars", r.paragraph_chars, config.max_duplicate_paragraph_chars),
        ("duplicate_lines", r.lines, config.max_duplicate_lines),
        ("duplicate_line_chars", r.line_chars, config.max_duplicate_line_chars),
    ];
    let top = (0..TOP.len()).map(|i| (TOP[i], r.top_ngrams[i], config.max_top_ngram_chars[i]));
    let duplicate =
        (0..DUPLICATE.len()).map(|i| (DUPLICATE[i], r.duplicate_ngrams[i], config.max_duplicate_ngram_chars[i]));
    let mut rules = of_parts.into_iter().chain(top).chain(duplicate);
    rules.find(|(_, value, max)| value > max).map(|(name, ..)| name)
}
// ANCHOR_END: rules
