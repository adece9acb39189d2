//! Text cut into words ("pre-tokens") before any merge; no token ever crosses a cut.
//!
//! Problem: without cuts, BPE spends its vocabulary on phrases such as `of the` and on a word with each mark that may
//! follow it (`dog.`, `dog!`). GPT-2 cuts with one regular expression:
//!
//! ```text
//! 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//! ```
//!
//! In words: an English contraction; or letters, digits, or other marks, each with at most one space in front; or white
//! space. `\s+(?!\S)` leaves the last space of a run to the word that follows. Later models vary it ([`Pattern`]), and some
//! cut numbers before it ([`Digits`]).
//!
//! The pieces, joined, are the text: every character is a letter, a digit, white space or something else.
//!
//! Sources: Radford et al. 2019, `encoder.py` of GPT-2; `tiktoken_ext/openai_public.py` of tiktoken 0.14; the
//! `tokenizer.json` of Llama 3, Qwen2 and SmolLM2.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    TokenizerError,
    char_class::{CharClasses, NUMBER},
    scan::Scan,
};

// ANCHOR: pretokenizer
/// How text is cut into words. In settings and on the command line it is one word, such as `llama3` or `gpt2+digits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PreTokenizer {
    /// Numbers that are cut before the pattern sees the text.
    pub digits: Digits,
    /// The pattern for what is between them.
    pub pattern: Pattern,
}

/// A published pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pattern {
    /// GPT-2's, also of SmolLM2 (after its digits) and many others.
    #[default]
    Gpt2,
    /// GPT-4's as `tiktoken` writes it: up to three digits, line ends apart, white space at the end of the text in one piece.
    Cl100k,
    /// GPT-4o's: words are cut where capitals begin, and keep their contraction.
    O200k,
    /// Llama 3's: GPT-4's as it was first published.
    Llama3,
    /// Qwen2's: Llama 3's with each digit alone.
    Qwen2,
}

/// What happens to numbers before the pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Digits {
    /// Nothing: the pattern decides.
    #[default]
    AsPattern,
    /// Each digit is a word (SmolLM2, Llama 2).
    Singly,
    /// Groups of three from the left (DeepSeek-V3).
    ByThree,
}
// ANCHOR_END: pretokenizer

impl Pattern {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Gpt2, Self::Cl100k, Self::O200k, Self::Llama3, Self::Qwen2];

    /// Its name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gpt2 => "gpt2",
            Self::Cl100k => "cl100k",
            Self::O200k => "o200k",
            Self::Llama3 => "llama3",
            Self::Qwen2 => "qwen2",
        }
    }

    // ANCHOR: regex
    /// The regular expression as published. [`PreTokenizer::words`] does not run it: it is what files say, and the tests' oracle.
    pub fn regex(self) -> &'static str {
        match self {
            Self::Gpt2 => r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
            Self::Cl100k => concat!(
                r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+",
                r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
            ),
            Self::O200k => concat!(
                r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
                r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
                r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
            ),
            Self::Llama3 => concat!(
                r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*",
                r"|\s*[\r\n]+|\s+(?!\S)|\s+"
            ),
            Self::Qwen2 => concat!(
                r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*",
                r"|\s*[\r\n]+|\s+(?!\S)|\s+"
            ),
        }
    }
    // ANCHOR_END: regex
}

// ANCHOR: words
impl PreTokenizer {
    /// Cuts `text` into words, in order; joined, they are `text` again.
    pub fn words(self, text: &str) -> impl Iterator<Item = &str> {
        self.segments(text).flat_map(move |segment| {
            let scan = Scan::new(segment);
            let mut at = 0;
            std::iter::from_fn(move || {
                let start = at;
                at = (start < segment.len()).then(|| scan.word_end(self.pattern, start))?;
                Some(&segment[start..at])
            })
        })
    }

    /// The numbers that are cut first, and the texts between them, which the pattern sees one by one.
    fn segments(self, text: &str) -> impl Iterator<Item = &str> {
        let longest = match self.digits {
            Digits::AsPattern => 0,
            Digits::Singly => 1,
            Digits::ByThree => 3,
        };
        let classes = CharClasses::get();
        let is_digit = move |c: char| classes.of(c) & NUMBER != 0;
        let mut rest = text;
        std::iter::from_fn(move || {
            let n_digits = rest.chars().take(longest).take_while(|&c| is_digit(c)).map(char::len_utf8).sum();
            let n_bytes = match n_digits {
                0 if longest > 0 => rest.find(is_digit).unwrap_or(rest.len()),
                0 => rest.len(),
                _ => n_digits,
            };
            let (segment, after) = rest.split_at(n_bytes);
            rest = after;
            (!segment.is_empty()).then_some(segment)
        })
    }
}

/// Cuts `text` into words as GPT-2 does.
pub fn pretokenize(text: &str) -> impl Iterator<Item = &str> {
    PreTokenizer::default().words(text)
}
// ANCHOR_END: words

/// Cuts a long text where every pattern cuts it: between a letter and a space with a letter behind it. The words of the parts are the
/// words of the whole, so that threads can share one text.
pub(crate) fn parts_of(text: &str, n_bytes: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let bytes = rest.as_bytes();
        let is_cut = |at: &usize| {
            bytes[at - 1].is_ascii_alphabetic() && bytes[*at] == b' ' && bytes[at + 1].is_ascii_alphabetic()
        };
        let cut = (n_bytes.max(1)..bytes.len().saturating_sub(1)).find(is_cut).unwrap_or(bytes.len());
        let (part, after) = rest.split_at(cut);
        rest = after;
        (!part.is_empty()).then_some(part)
    })
}

impl fmt::Display for PreTokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.pattern.name())?;
        f.write_str(match self.digits {
            Digits::AsPattern => "",
            Digits::Singly => "+digits",
            Digits::ByThree => "+digits3",
        })
    }
}

impl FromStr for PreTokenizer {
    type Err = TokenizerError;

    fn from_str(name: &str) -> Result<Self, TokenizerError> {
        // `digits` alone is SmolLM2's: each digit, then GPT-2's pattern.
        let (pattern, digits) = match name.split_once('+') {
            Some(parts) => parts,
            None if name.starts_with("digits") => (Pattern::Gpt2.name(), name),
            None => (name, ""),
        };
        let digits = match digits {
            "" => Some(Digits::AsPattern),
            "digits" => Some(Digits::Singly),
            "digits3" => Some(Digits::ByThree),
            _ => None,
        };
        let pattern = Pattern::ALL.into_iter().find(|known| known.name() == pattern);
        let found = pattern.zip(digits).map(|(pattern, digits)| Self { digits, pattern });
        found.ok_or_else(|| TokenizerError::UnknownPreTokenizer { name: name.to_owned() })
    }
}

impl TryFrom<String> for PreTokenizer {
    type Error = TokenizerError;

    fn try_from(name: String) -> Result<Self, TokenizerError> {
        name.parse()
    }
}

impl From<PreTokenizer> for String {
    fn from(pretokenizer: PreTokenizer) -> Self {
        pretokenizer.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        pretokenize(text).collect()
    }

    #[test]
    fn cuts_as_gpt_2_does() {
        assert_eq!(words("It's 42 km,  really!"), ["It", "'s", " 42", " km", ",", " ", " really", "!"]);
        assert_eq!(words("a\n\n  b \n"), ["a", "\n\n ", " b", " \n"]);
        assert_eq!(words("a\tb"), ["a", "\t", "b"]);
        assert_eq!(words(""), Vec::<&str>::new());
    }

    #[test]
    fn a_text_cut_for_threads_has_the_same_words() {
        let text = "it's a lamp  a B c\n d e 12 34 x'd y\u{a0} z ".repeat(40);
        for name in ["gpt2", "cl100k", "o200k", "llama3", "qwen2", "digits", "llama3+digits3"] {
            let pretokenizer: PreTokenizer = name.parse().unwrap();
            let whole: Vec<&str> = pretokenizer.words(&text).collect();
            for n_bytes in [0, 1, 7, 100, 100_000] {
                let parts: Vec<&str> = parts_of(&text, n_bytes).collect();
                assert!(n_bytes > 1000 || parts.len() > 10);
                assert_eq!(parts.into_iter().flat_map(|part| pretokenizer.words(part)).collect::<Vec<_>>(), whole);
            }
        }
    }

    #[test]
    fn a_name_is_a_pretokenizer_and_back() {
        for name in ["gpt2", "cl100k", "o200k", "llama3", "qwen2", "gpt2+digits", "llama3+digits3"] {
            assert_eq!(name.parse::<PreTokenizer>().unwrap().to_string(), name);
        }
        assert_eq!("digits".parse::<PreTokenizer>().unwrap().to_string(), "gpt2+digits");
        let error = "gpt5".parse::<PreTokenizer>().unwrap_err().to_string();
        assert!(error.contains("gpt5") && error.contains("llama3"), "{error}");
    }
}
