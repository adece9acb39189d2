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
//! What is found is reported by item: which questions were on how many pages, and on which. A benchmark that half the
//! web discusses is worth knowing of, whether its pages are dropped or not. The exam is read once
//! ([`Decontaminator::new`]) and every page is asked about by itself.
//!
//! Labels such as `Q:` and `Answer:` are skipped first, or they would cut every run at the border of question and answer.

use std::collections::{BTreeSet, HashMap};
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

/// What becomes of a page that shares a run with the exam.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is dropped.
    #[default]
    Remove,
    /// It stays, and the report names it.
    Report,
}

/// How long a shared run of words must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DecontaminateConfig {
    /// Length of a run in words.
    pub n_words: usize,
    /// How many of them, at least, come from the question.
    pub n_question_words: usize,
    /// What becomes of the pages.
    pub action: Action,
}

impl Default for DecontaminateConfig {
    fn default() -> Self {
        Self { n_words: 8, n_question_words: 3, action: Action::Remove }
    }
}

impl DecontaminateConfig {
    /// GPT-3's rule: any run of 13 words, for items that are long enough. A run inside the answer alone still does not
    /// count.
    pub fn gpt3() -> Self {
        Self { n_words: 13, n_question_words: 1, action: Action::Remove }
    }

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
/// Marks the documents that share a run of words with an item of the exam and are to be dropped for it.
pub fn contaminated(documents: &[Document], items: &[TestItem], config: &DecontaminateConfig) -> Vec<bool> {
    let exam = Decontaminator::new(items, config);
    documents.par_iter().map(|document| exam.removes(&exam.hits(&document.text))).collect()
}

/// The runs of words that betray the exam, ready to be looked for in any page.
#[derive(Debug, Clone)]
pub struct Decontaminator {
    /// The hash of a run to the items that have it.
    items_of_run: HashMap<u64, Vec<usize>>,
    /// The lengths that runs have.
    lengths: Vec<usize>,
    action: Action,
}

impl Decontaminator {
    /// Cuts the items into runs.
    pub fn new(items: &[TestItem], config: &DecontaminateConfig) -> Self {
        let mut items_of_run: HashMap<u64, Vec<usize>> = HashMap::new();
        let mut lengths = Vec::new();
        for (i, item) in items.iter().enumerate() {
            let question = unlabelled_words(&item.question);
            let whole = unlabelled_words(&format!("{}\n{}", item.question, item.answer));
            if whole.is_empty() {
                continue;
            }
            let length = config.n_words.min(whole.len());
            // A run that starts here or earlier holds enough words of the question.
            let n_starts = (question.len() + 1).saturating_sub(config.n_question_words).max(1);
            for run in whole.windows(length).take(n_starts).map(hash_words) {
                items_of_run.entry(run).or_default().push(i);
            }
            lengths.push(length);
        }
        lengths.sort_unstable();
        lengths.dedup();
        Self { items_of_run, lengths, action: config.action }
    }

    /// The items of which `text` has a run, in order.
    pub fn hits(&self, text: &str) -> Vec<usize> {
        if self.items_of_run.is_empty() {
            return Vec::new();
        }
        let words = unlabelled_words(text);
        let runs = self.lengths.iter().flat_map(|&n| words.windows(n));
        let hits: BTreeSet<usize> =
            runs.filter_map(|run| self.items_of_run.get(&hash_words(run))).flatten().copied().collect();
        hits.into_iter().collect()
    }

    /// Must a page with these hits go?
    pub fn removes(&self, hits: &[usize]) -> bool {
        !hits.is_empty() && self.action == Action::Remove
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
    fn hits_name_their_items_and_report_alone_drops_nothing() {
        let item = |question: &str| TestItem { question: question.into(), answer: "Yes, it is so.".into() };
        let items = [
            item("Is the harbour of Bakelo older than its bridge?"),
            item(""),
            item("Is the bridge of Tovi made of stone?"),
        ];
        let config = DecontaminateConfig { action: Action::Report, ..Default::default() };
        let page = "Is the bridge of Tovi made of stone? Yes! Is the harbour of Bakelo older than its bridge? No.";
        let exam = Decontaminator::new(&items, &config);
        assert_eq!(exam.hits(page), [0, 2]);
        assert!(!exam.removes(&exam.hits(page)));
        assert_eq!(contaminated(&[Document::new("", "", page)], &items, &config), [false]);
        let longer = Decontaminator::new(&items, &DecontaminateConfig::gpt3());
        assert_eq!(longer.hits(page), Vec::<usize>::new(), "thirteen words reach into the answer");
    }

    #[test]
    fn without_an_exam_nothing_is_dropped() {
        let document = Document::new("", "", "Anything at all.");
        assert_eq!(contaminated(&[document], &[], &DecontaminateConfig::default()), [false]);
    }
}
