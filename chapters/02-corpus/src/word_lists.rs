//! Lists of unwanted words and phrases: adult pages, spam, whatever a user names.
//!
//! C4 drops a page with a single word of a public list of some 400. That dropped a disproportionate share of pages by
//! and about minorities (Dodge et al., arXiv:2104.08758), and medicine and law with them. So a list here has a
//! threshold: the share of the page's words that lie in a listed word or phrase. One word in a long page is no spam.
//!
//! A list is given in the settings, or in a file of one word or phrase a line (`#` begins a comment), or is one of the
//! two short built-in ones. What is compared are [`words`]: lower case, without punctuation.

use std::collections::HashSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::setting::{InvalidSetting, holds, share};
use crate::words::{hash_words, words};

/// The stand-in, in the invented world, for words that nobody wants a model to learn.
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

const ADULT: &str = include_str!("word_lists/adult.txt");
const SPAM: &str = include_str!("word_lists/spam.txt");

/// The largest file that is taken for a list of words.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// A list of unwanted words and how much of a page they may be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WordList {
    /// The rule's name in reports is this followed by `_words`. `adult` and `spam` without words or file are built in.
    pub name: String,
    /// Words and phrases.
    pub words: Vec<String>,
    /// A file with more of them.
    pub file: Option<PathBuf>,
    /// Greatest share of a page's words in listed words and phrases.
    pub max_share: f64,
}

impl WordList {
    /// The two built-in lists.
    pub fn built_in() -> Vec<Self> {
        ["adult", "spam"].map(|name| Self { name: name.into(), max_share: 0.02, ..Self::default() }).into()
    }

    pub(crate) fn validate(&self) -> Result<(), InvalidSetting> {
        let is_name = !self.name.is_empty() && self.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        holds(is_name, "quality.word_lists.name", format!("{:?}", self.name), "write letters, digits and `_`")?;
        share("quality.word_lists.max_share", self.max_share)?;
        let has_words = !self.words.is_empty() || self.file.is_some() || self.built_in_text().is_some();
        let rule = "give words or a file; only adult and spam are built in";
        holds(has_words, "quality.word_lists.words of list", &self.name, rule)?;
        for phrase in &self.words {
            let matches = !words(phrase).is_empty();
            holds(matches, "quality.word_lists.words", format!("{phrase:?}"), "write words of letters or digits")?;
        }
        Ok(())
    }

    fn built_in_text(&self) -> Option<&'static str> {
        match self.name.as_str() {
            "adult" if self.words.is_empty() => Some(ADULT),
            "spam" if self.words.is_empty() => Some(SPAM),
            _ => None,
        }
    }

    fn file_text(&self) -> Result<String, InvalidSetting> {
        let Some(path) = &self.file else { return Ok(self.built_in_text().unwrap_or_default().into()) };
        let refused = |why: String| InvalidSetting {
            name: "quality.word_lists.file",
            value: path.display().to_string(),
            rule: why.into(),
        };
        let n_bytes = std::fs::metadata(path).map_err(|e| refused(format!("cannot read it: {e}")))?.len();
        if n_bytes > MAX_FILE_BYTES {
            return Err(refused(format!("{n_bytes} bytes are no list of words; choose a file below 64 MiB")));
        }
        std::fs::read_to_string(path).map_err(|e| refused(format!("cannot read it: {e}")))
    }
}

/// A list in the form in which pages are compared with it.
#[derive(Debug, Clone)]
pub(crate) struct UnwantedWords {
    rule: String,
    hashes: HashSet<u64>,
    /// Numbers of words that the phrases have, the longest first.
    lengths: Vec<usize>,
    max_share: f64,
}

impl UnwantedWords {
    pub(crate) fn new(rule: &str, phrases: &[impl AsRef<str>], max_share: f64) -> Self {
        let phrases: Vec<Vec<String>> = phrases.iter().map(|phrase| words(phrase.as_ref())).collect();
        let hashes = phrases.iter().filter(|p| !p.is_empty()).map(|p| hash_words(p)).collect();
        let mut lengths: Vec<usize> = phrases.iter().map(Vec::len).filter(|&n| n > 0).collect();
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        lengths.dedup();
        Self { rule: rule.into(), hashes, lengths, max_share }
    }

    pub(crate) fn load(list: &WordList) -> Result<Self, InvalidSetting> {
        let text = list.file_text()?;
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
        let phrases: Vec<&str> = list.words.iter().map(String::as_str).chain(lines).collect();
        Ok(Self::new(&format!("{}_words", list.name), &phrases, list.max_share))
    }

    pub(crate) fn rule(&self) -> &str {
        &self.rule
    }

    pub(crate) fn is_too_common_in(&self, words: &[String]) -> bool {
        if words.is_empty() || self.hashes.is_empty() {
            return false;
        }
        let (mut n_unwanted, mut i) = (0, 0);
        while i < words.len() {
            let is_listed =
                |n: &&usize| i + **n <= words.len() && self.hashes.contains(&hash_words(&words[i..i + **n]));
            let length = self.lengths.iter().find(is_listed);
            n_unwanted += length.unwrap_or(&0);
            i += length.unwrap_or(&1);
        }
        n_unwanted as f64 / words.len() as f64 > self.max_share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaks(list: &WordList, text: &str) -> bool {
        UnwantedWords::load(list).unwrap().is_too_common_in(&words(text))
    }

    #[test]
    fn phrases_count_by_their_words_and_only_whole() {
        let list =
            WordList { name: "own".into(), words: vec!["Buy now".into()], max_share: 0.25, ..Default::default() };
        assert!(breaks(&list, "Buy NOW, dear friends!"), "two of four words");
        assert!(!breaks(&list, "Buy now, all of you, dear friends of mine"), "two of nine");
        assert!(!breaks(&list, "Buy bread now"));
    }

    #[test]
    fn built_in_lists_and_files_are_read() {
        let [adult, spam] = <[WordList; 2]>::try_from(WordList::built_in()).unwrap();
        assert!(breaks(&adult, "free porn and more"));
        assert!(breaks(&spam, "cheap pills without prescription"));
        assert!(!breaks(&spam, "The doctor wrote a prescription for the child."));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "# of our own\nzonk  # a word\n\nbig zonk prize\n").unwrap();
        let own = WordList { name: "own".into(), file: Some(file.path().into()), ..Default::default() };
        assert!(breaks(&own, "a zonk for you"));
        assert!(!breaks(&own, "a word for you"), "comments are no words");
    }

    #[test]
    fn what_cannot_be_a_list_is_named() {
        let said = |list: WordList| list.validate().unwrap_err().to_string();
        assert!(said(WordList { name: "own".into(), ..Default::default() }).contains("of list is own; give words"));
        assert!(said(WordList { name: "a b".into(), ..Default::default() }).contains("\"a b\""));
        let missing = WordList { name: "own".into(), file: Some("no/such/file".into()), ..Default::default() };
        let said = UnwantedWords::load(&missing).unwrap_err().to_string();
        assert!(said.starts_with("quality.word_lists.file is no/such/file; cannot read it"), "{said}");
    }
}
