//! Drops single lines that are no prose, and keeps the page: what C4 (arXiv:1910.10683, section 2.2) does to lines.
//!
//! A page of good text ends in *Accept our cookie policy* and *Please enable JavaScript*; extraction leaves some of it.
//! C4 keeps a line that ends in a terminal mark, has at least three words, and speaks neither of JavaScript nor of
//! policies, and takes Wikipedia's citation marks out of it. Details as in datatrove (`c4_filters.py`).
//!
//! Blunt: headings, list items and verse have no terminal mark. All of it is off unless the settings say otherwise
//! ([`LinesConfig::c4`]). Fenced code is not touched.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::fences;

/// What C4 takes for a line about cookies and terms.
const POLICY_PHRASES: [&str; 6] =
    ["terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies"];

// ANCHOR: lines_config
/// Which lines to drop.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinesConfig {
    /// Drop lines that do not end in `.`, `?`, `!` or a quotation mark, and those that end in an ellipsis.
    pub require_terminal_mark: bool,
    /// Drop lines with fewer words (C4: 3; 0 for none).
    pub min_words: usize,
    /// Drop lines with a word of more characters (datatrove: 1000; 0 for none).
    pub max_word_chars: usize,
    /// Drop lines that speak of JavaScript.
    pub drop_javascript: bool,
    /// Drop lines that speak of cookies, terms of use and privacy policies.
    pub drop_policies: bool,
    /// Take marks such as `[3]` and `[citation needed]` out of the lines.
    pub remove_citations: bool,
}
// ANCHOR_END: lines_config

impl LinesConfig {
    /// C4's rules.
    pub fn c4() -> Self {
        Self {
            require_terminal_mark: true,
            min_words: 3,
            max_word_chars: 1000,
            drop_javascript: true,
            drop_policies: true,
            remove_citations: true,
        }
    }

    /// Does any rule look at lines?
    pub fn is_on(&self) -> bool {
        *self != Self::default()
    }
}

/// The text without the lines that break a rule.
pub fn keep_prose_lines(text: &str, config: &LinesConfig) -> String {
    let mut kept: Vec<Cow<str>> = Vec::new();
    for (line, is_prose) in fences::lines(text) {
        kept.extend(if is_prose { kept_line(line.trim(), config) } else { Some(line.into()) });
    }
    kept.join("\n").trim().to_string()
}

fn kept_line<'a>(line: &'a str, config: &LinesConfig) -> Option<Cow<'a, str>> {
    // Blank lines part paragraphs; they hold nothing to judge.
    if line.is_empty() {
        return Some(line.into());
    }
    let n_words = line.split_whitespace().count();
    let is_long = |word: &str| config.max_word_chars > 0 && word.chars().count() > config.max_word_chars;
    if line.split_whitespace().any(is_long) || n_words < config.min_words {
        return None;
    }
    let line = if config.remove_citations { CITATION.replace_all(line, "") } else { line.into() };
    let ends = line.ends_with(['.', '?', '!', '"', '\'', '”']) && !line.ends_with("...");
    let lowercase = line.to_lowercase();
    let dropped = (config.require_terminal_mark && !ends)
        || (config.drop_javascript && lowercase.contains("javascript"))
        || (config.drop_policies && POLICY_PHRASES.iter().any(|phrase| lowercase.contains(phrase)));
    (!dropped).then_some(line)
}

#[allow(clippy::expect_used)]
static CITATION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\[\d*\]|\[edit\]|\[citation needed\]").expect("the pattern is a constant that every test compiles")
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c4_keeps_sentences_alone() {
        let page = "Harbours\nThe harbour[3] is old.\nRead on...\nOh no!\nPlease enable JavaScript to see this page.\n\
            We use cookies to make this site better.\n\n```\nlet x = 1\n```\nHe said: \"The wind comes from the sea.\"";
        let kept = "The harbour is old.\n\n```\nlet x = 1\n```\nHe said: \"The wind comes from the sea.\"";
        assert_eq!(keep_prose_lines(page, &LinesConfig::c4()), kept);
    }

    #[test]
    fn each_rule_stands_alone() {
        let page = "Two words\nOf JavaScript we say nothing\nThe privacy policy is here\nA list[1] without an end";
        let left = |config: LinesConfig| keep_prose_lines(page, &config).lines().count();
        let off = LinesConfig::default();
        assert_eq!(keep_prose_lines(page, &off), page);
        assert_eq!(left(LinesConfig { min_words: 3, ..off.clone() }), 3);
        assert_eq!(left(LinesConfig { drop_javascript: true, ..off.clone() }), 3);
        assert_eq!(left(LinesConfig { drop_policies: true, ..off.clone() }), 3);
        assert_eq!(left(LinesConfig { max_word_chars: 9, ..off.clone() }), 3);
        assert_eq!(left(LinesConfig { require_terminal_mark: true, ..off.clone() }), 0);
        assert!(
            keep_prose_lines(page, &LinesConfig { remove_citations: true, ..off }).ends_with("A list without an end")
        );
    }
}
