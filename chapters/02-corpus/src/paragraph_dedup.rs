//! Removes paragraphs that occurred before: licence headers, navigation that survived extraction, a quoted chapter.
//!
//! Pages that share a third of their text are far from near duplicates (a similarity of 0.2) and still repeat it. So texts are
//! compared once more, paragraph by paragraph, as in CCNet (Wenzek et al., arXiv:1911.00359, section 3.2) and Dolma. Of
//! equal paragraphs the first in the corpus stays: that of the smallest (document, paragraph). This is a property of the set
//! of paragraphs, so it can be found by hash in any order, on any number of machines.
//!
//! A paragraph ends at an empty line, except inside a code fence (lines of three or more backticks or tildes, CommonMark
//! section 4.5): half a fence is no code, and its end alone would turn all text behind it into code. Prose is equal when its
//! words are ([`crate::words`]); a paragraph with a fence only when its characters are, as `a + b` and `a - b` have the same words.
//!
//! Refused: paragraphs shorter than `min_words`. "Examples" and "See also" repeat everywhere and mislead nobody.

use std::collections::HashSet;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use crate::document::Document;
use crate::exact_dedup::words_hash;
use crate::fences::{Fence, fence};
use crate::setting::{InvalidSetting, holds};
use crate::words::JoinedWords;

/// Whether repeated paragraphs go, and which are long enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ParagraphConfig {
    /// Whether the stage runs.
    pub enabled: bool,
    /// Paragraphs with fewer words stay, however often they occur.
    pub min_words: usize,
    /// A document that lost paragraphs and has fewer words left goes as a whole.
    pub min_document_words: usize,
}

impl Default for ParagraphConfig {
    fn default() -> Self {
        Self { enabled: false, min_words: 12, min_document_words: 30 }
    }
}

impl ParagraphConfig {
    /// Checks the sizes.
    ///
    /// # Errors
    /// `min_words` of 0.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        holds(self.min_words > 0, "paragraph.min_words", self.min_words, "choose 1 or more")
    }
}

// ANCHOR: repeated
/// For each document the places of its paragraphs that occurred before, in rising order.
pub fn repeated(documents: &[Document], config: &ParagraphConfig) -> Vec<Vec<usize>> {
    let mut seen = HashSet::new();
    let mut is_repeated = |key: Option<u128>| key.is_some_and(|key| !seen.insert(key));
    documents
        .iter()
        .map(|document| {
            let keys = keys(&document.text, config).into_iter().enumerate();
            keys.filter(|&(_, key)| is_repeated(key)).map(|(place, _)| place).collect()
        })
        .collect()
}

/// What equal paragraphs of a text have in common, in order; `None` for those that are too short to go.
pub fn keys(text: &str, config: &ParagraphConfig) -> Vec<Option<u128>> {
    let key = |range: Range<usize>| {
        let paragraph = &text[range];
        let words = JoinedWords::new(paragraph);
        let has_code = paragraph.lines().any(|line| fence(line).is_some());
        let hash = if has_code { xxh3_128(paragraph.trim_end().as_bytes()) } else { words_hash(&words) };
        (words.len() >= config.min_words).then_some(hash)
    };
    paragraphs(text).into_iter().map(key).collect()
}
// ANCHOR_END: repeated

/// Why a document goes that lost most of its paragraphs.
pub const TOO_LITTLE_LEFT: &str = "little but repeated paragraphs";

/// Removes the paragraphs at `places` (in rising order); false if too little is left and the document must go.
pub fn remove(document: &mut Document, places: &[usize], config: &ParagraphConfig) -> bool {
    if places.is_empty() {
        return true;
    }
    let text = &document.text;
    let paragraphs = paragraphs(text).into_iter().enumerate();
    let kept = paragraphs.filter(|(place, _)| places.binary_search(place).is_err());
    let kept: Vec<&str> = kept.map(|(_, range)| text[range].trim_end_matches(['\n', '\r'])).collect();
    let text = kept.join("\n\n");
    let is_enough = JoinedWords::new(&text).len() >= config.min_document_words.max(1);
    document.text = text;
    is_enough
}

// ANCHOR: paragraphs
/// The byte ranges of a text's paragraphs, in order: runs of lines between empty lines, where no empty line inside a code
/// fence counts. A fence that nobody closes runs to the end of the text.
pub fn paragraphs(text: &str) -> Vec<Range<usize>> {
    let mut paragraphs = Vec::new();
    let (mut start, mut at) = (None, 0);
    let mut open: Option<Fence> = None;
    for line in text.split_inclusive('\n') {
        if let Some(opened) = &open {
            if fence(line).is_some_and(|fence| fence.closes(opened)) {
                open = None;
            }
        } else if line.trim().is_empty() {
            paragraphs.extend(start.take().map(|start| start..at));
        } else {
            start.get_or_insert(at);
            open = fence(line);
        }
        at += line.len();
    }
    paragraphs.extend(start.map(|start| start..at));
    paragraphs
}
// ANCHOR_END: paragraphs

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        paragraphs(text).into_iter().map(|range| text[range].trim_end()).collect()
    }

    #[test]
    fn empty_lines_part_paragraphs_but_not_inside_a_fence() {
        assert_eq!(texts("\n\na\nb\n \n\nc\r\n\r\nd"), ["a\nb", "c", "d"]);
        let code = "```rust\nlet a = 1;\n\nlet b = 2;\n```";
        assert_eq!(texts(&format!("before\n\n{code}\n\nafter")), ["before", code, "after"]);
        assert_eq!(texts(&format!("text:\n{code}\nmore\n\nafter")), [&format!("text:\n{code}\nmore"), "after"]);
        assert_eq!(texts(""), [""; 0]);
    }

    #[test]
    fn only_a_fence_of_its_own_kind_closes() {
        for inner in ["```", "~~~", "````rust", "    ````", "````x`"] {
            let code = format!("````md\na\n\n{inner}\n\nb\n````");
            assert_eq!(texts(&format!("{code}\n\nafter")), [&code, "after"], "{inner}");
        }
        assert_eq!(texts("~~~\na\n\n~~~~~\n\nafter"), ["~~~\na\n\n~~~~~", "after"]);
        assert_eq!(texts("```\na\n\nb\n\nc"), ["```\na\n\nb\n\nc"]);
        assert_eq!(texts("``` inline ``` code\n\nafter"), ["``` inline ``` code", "after"]);
    }

    #[test]
    fn the_first_stays_and_code_is_compared_by_character() {
        let config = ParagraphConfig { enabled: true, min_words: 3, min_document_words: 3 };
        let plus = "```\nlet c = a + b;\n```";
        let minus = "```\nlet c = a - b;\n```";
        let documents = [
            format!("The same old words.\n\n{plus}\n\nSee also"),
            format!("the SAME old words\n\n{minus}\n\nSee also\n\nOnly here at last"),
            format!("{plus}\n\nThe same, old words!"),
            "Twice in one page\n\nTwice in one page".to_string(),
        ];
        let documents = documents.map(|text| Document::new("", "", text));
        let found = repeated(&documents, &config);
        assert_eq!(found, [vec![], vec![0], vec![0, 1], vec![1]]);
        let left = |i: usize| {
            let mut document = documents[i].clone();
            remove(&mut document, &found[i], &config).then_some(document.text)
        };
        assert_eq!(left(0).unwrap(), documents[0].text);
        assert_eq!(left(1).unwrap(), format!("{minus}\n\nSee also\n\nOnly here at last"));
        assert_eq!(left(2), None);
        assert_eq!(left(3).unwrap(), "Twice in one page");
    }
}
