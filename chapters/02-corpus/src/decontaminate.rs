//! Keeps the exam out of the corpus.
//!
//! A model that has read the questions with their answers is not tested by them. A page is dropped when it shares a run
//! of `n_words` words with an exam item (question followed by answer). GPT-3 (arXiv:2005.14165, appendix C) used 13
//! words; our questions are shorter, so `n_words` is smaller, and an item shorter than that counts as a whole.
//!
//! Only runs with at least `n_question_words` words of the question count. A run inside the answer is the fact itself, and
//! facts belong into the corpus: to know that the doors in a town are red is not cheating, to have read that exam
//! question is.
//!
//! Labels such as `Q:` and `Answer:` are skipped first, or they would cut every run at the border of question and answer.

use std::collections::HashSet;
use std::sync::LazyLock;

use rayon::prelude::*;
use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::document::Document;
use crate::setting::{InvalidSetting, holds};
use crate::words::{hash_words, words};

/// One item of the exam.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestItem {
    /// What is asked.
    pub question: String,
    /// A right answer.
    pub answer: String,
}

/// How long a shared run of words must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DecontaminateConfig {
    /// Length of a run in words.
    pub n_words: usize,
    /// How many of them, at least, come from the question.
    pub n_question_words: usize,
}

impl Default for DecontaminateConfig {
    fn default() -> Self {
        Self { n_words: 8, n_question_words: 3 }
    }
}

impl DecontaminateConfig {
    /// Refuses runs so short that ordinary text has them.
    ///
    /// # Errors
    /// `n_words` below 3, or fewer words than must come from the question.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        holds(self.n_words >= 3, "decontaminate.n_words", self.n_words, "choose 3 or more")?;
        let possible = (1..=self.n_words).contains(&self.n_question_words);
        let rule = "choose from 1 to decontaminate.n_words";
        holds(possible, "decontaminate.n_question_words", self.n_question_words, rule)
    }
}

// ANCHOR: decontaminate
/// Marks the documents that share a run of words with an item of the exam.
pub fn contaminated(documents: &[Document], items: &[TestItem], config: &DecontaminateConfig) -> Vec<bool> {
    let exam = Exam::new(items, config);
    documents.par_iter().map(|d| exam.touches(&d.text)).collect()
}

/// The runs of words that betray the exam, as hashes, and the lengths that occur.
#[derive(Debug, Clone)]
pub struct Exam {
    hashes: HashSet<u64>,
    lengths: Vec<usize>,
}

impl Exam {
    /// Gathers the runs of all items.
    pub fn new(items: &[TestItem], config: &DecontaminateConfig) -> Self {
        let mut hashes = HashSet::new();
        let mut lengths = Vec::new();
        for item in items {
            let question = unlabelled_words(&item.question);
            let whole = unlabelled_words(&format!("{}\n{}", item.question, item.answer));
            let length = config.n_words.min(whole.len()).max(1);
            // A run that starts here or earlier holds enough words of the question.
            let n_starts = (question.len() + 1).saturating_sub(config.n_question_words).max(1);
            hashes.extend(whole.windows(length).take(n_starts).map(hash_words));
            lengths.push(length);
        }
        lengths.sort_unstable();
        lengths.dedup();
        Self { hashes, lengths }
    }

    /// Whether the text shares a run with an item.
    pub fn touches(&self, text: &str) -> bool {
        if self.hashes.is_empty() {
            return false;
        }
        let words = unlabelled_words(text);
        let mut runs = self.lengths.iter().flat_map(|&n| words.windows(n));
        runs.any(|run| self.hashes.contains(&hash_words(run)))
    }
}
// ANCHOR_END: decontaminate

fn unlabelled_words(text: &str) -> Vec<String> {
    words(&LABEL.replace_all(text, " "))
}

#[allow(clippy::expect_used)]
static LABEL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:q|a|question|answer)\s*[:.]\s").expect("the pattern is a constant that every test compiles")
});

#[cfg(test)]
mod tests {
    use super::*;

    fn dropped(text: &str) -> bool {
        let item = |question: &str, answer: &str| TestItem { question: question.into(), answer: answer.into() };
        let items = [
            item("Which river is Bakelo on?", "Bakelo is on the river Elm."),
            item("What does Bakelo sell?", "Bakelo sells glass."),
            item("What does Bakelo sell?", "glass."),
            item("When is the market in Bakelo?", "The market in Bakelo is on Friday."),
        ];
        let document = Document::new("", "", text);
        contaminated(&[document], &items, &DecontaminateConfig::default())[0]
    }

    #[test]
    fn question_with_answer_is_dropped_in_any_dress() {
        assert!(dropped("Some text. Which river is Bakelo on? Bakelo is on the river Elm. More text."));
        assert!(dropped("Q: What does Bakelo sell?\nA: glass."));
        assert!(dropped("QUESTION: what does Bakelo sell?\n\nANSWER: Bakelo sells glass"));
        assert!(dropped("WHICH RIVER IS BAKELO ON? - Bakelo is on the river Elm."));
    }

    #[test]
    fn the_fact_alone_and_other_questions_stay() {
        assert!(!dropped("Bakelo is on the river Elm. Bakelo sells glass. Glass is what Bakelo sells."));
        assert!(!dropped("Which river is Tovi on? Tovi is on the river Elm."));
        assert!(!dropped("What does Bakelo do? It sells glass."));
        // The last word of a question and then its answer, by chance.
        assert!(!dropped("We went to Bakelo. The market in Bakelo is on Friday."));
    }

    #[test]
    fn without_an_exam_nothing_is_dropped() {
        let document = Document::new("", "", "Anything at all.");
        assert_eq!(contaminated(&[document], &[], &DecontaminateConfig::default()), [false]);
    }
}
