//! How close each stage came to the truth: precision and recall.
//!
//! $$\text{precision} = \frac{TP}{TP + FP}, \qquad \text{recall} = \frac{TP}{TP + FN}$$
//!
//! What is counted differs by stage: for extraction the words of the main text, for PII the masked pieces, for the
//! filters the dropped pages. A stage answers for the pages that reached it. A German page that language
//! detection let through is language detection's fault; what later stages do with it counts neither for nor
//! against them. A good page that an early stage dropped is that stage's false positive, and no later stage's miss.
//!
//! Of a group of `n` copies that reach a deduplication stage, `n - 1` should go; which one stays does not matter.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::Hash;

use serde::{Deserialize, Serialize};

use crate::document::Document;
use crate::pipeline::{Cleaned, Stage};
use crate::truth::{PageTruth, Truth};
use crate::words::words;

// ANCHOR: stage_score
/// Counts of right and wrong decisions, and the two shares that follow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct StageScore {
    /// Share of what the stage took that it had to take; 1 if it took nothing.
    pub precision: f64,
    /// Share of what the stage had to take that it took; 1 if there was nothing.
    pub recall: f64,
    /// Taken rightly.
    pub true_positives: usize,
    /// Taken wrongly.
    pub false_positives: usize,
    /// Missed.
    pub false_negatives: usize,
}

impl StageScore {
    fn of(true_positives: usize, false_positives: usize, false_negatives: usize) -> Self {
        let share = |of: usize| if of == 0 { 1.0 } else { true_positives as f64 / of as f64 };
        Self {
            precision: share(true_positives + false_positives),
            recall: share(true_positives + false_negatives),
            true_positives,
            false_positives,
            false_negatives,
        }
    }
}
// ANCHOR_END: stage_score

/// A score a stage, in the order of the stages.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores(pub BTreeMap<Stage, StageScore>);

/// Scores extraction by the words of the pages: a word of boilerplate is a false positive, a lost word a false negative.
pub fn score_extraction(truth: &Truth, extracted: &[Document]) -> StageScore {
    let texts: HashMap<&str, &str> = extracted.iter().map(|d| (d.id.as_str(), d.text.as_str())).collect();
    let mut sum = Overlap::default();
    for (id, page) in &truth.pages {
        sum.add(words(&page.text), words(texts.get(id.as_str()).unwrap_or(&"")));
    }
    sum.score()
}

/// Scores the stages after extraction.
pub fn score_stages(truth: &Truth, cleaned: &Cleaned) -> Scores {
    let decisions = Decisions { truth, cleaned, stage_of: fates(cleaned) };
    let score = |stage| match stage {
        // Extraction is scored by itself, and the crawl holds no truth about the others.
        Stage::Extraction
        | Stage::UrlBlockList
        | Stage::Metadata
        | Stage::Lines
        | Stage::Classifier
        | Stage::ParagraphDedup
        | Stage::SubstringDedup => None,
        Stage::Language => Some(decisions.filter(stage, |page| page.foreign)),
        Stage::Quality => Some(decisions.filter(stage, |page| page.low_quality.is_some())),
        Stage::Pii => Some(decisions.masking()),
        Stage::ExactDedup => Some(decisions.groups(stage, |page| page.exact_group)),
        Stage::NearDedup => Some(decisions.groups(stage, |page| page.near_group)),
        Stage::Decontamination => Some(decisions.filter(stage, |page| page.leak)),
    };
    Scores(Stage::ALL.into_iter().filter_map(|stage| Some((stage, score(stage)?))).collect())
}

/// For each page that entered the pipeline the stage that dropped it, or `None` if it was kept.
fn fates(cleaned: &Cleaned) -> BTreeMap<&str, Option<Stage>> {
    let kept = cleaned.documents.iter().map(|d| (d.id.as_str(), None));
    let dropped = cleaned.removed.iter().map(|r| (r.id.as_str(), Some(r.stage)));
    kept.chain(dropped).collect()
}

struct Decisions<'a> {
    truth: &'a Truth,
    cleaned: &'a Cleaned,
    stage_of: BTreeMap<&'a str, Option<Stage>>,
}

impl Decisions<'_> {
    /// The pages that a stage answers for, each with whether the stage dropped it: pages that reached the stage and
    /// that no earlier filter should have dropped.
    fn answerable(&self, stage: Stage) -> impl Iterator<Item = (&str, &PageTruth, bool)> {
        let reached = self.stage_of.iter().filter(move |(_, fate)| fate.is_none_or(|fate| fate >= stage));
        let known = reached.filter_map(move |(id, fate)| Some((*id, self.truth.pages.get(*id)?, *fate == Some(stage))));
        known.filter(move |(_, page, _)| {
            let overdue_language = page.foreign && Stage::Language < stage;
            let overdue_quality = page.low_quality.is_some() && Stage::Quality < stage;
            !overdue_language && !overdue_quality
        })
    }

    fn filter(&self, stage: Stage, must_go: impl Fn(&PageTruth) -> bool) -> StageScore {
        let (mut right, mut wrong, mut missed) = (0, 0, 0);
        for (_, page, dropped) in self.answerable(stage) {
            match (dropped, must_go(page)) {
                (true, true) => right += 1,
                (true, false) => wrong += 1,
                (false, true) => missed += 1,
                (false, false) => {}
            }
        }
        StageScore::of(right, wrong, missed)
    }

    fn groups(&self, stage: Stage, group: impl Fn(&PageTruth) -> u64) -> StageScore {
        let mut sizes: BTreeMap<u64, (usize, usize)> = BTreeMap::new();
        for (_, page, dropped) in self.answerable(stage) {
            let (n, n_dropped) = sizes.entry(group(page)).or_default();
            *n += 1;
            *n_dropped += usize::from(dropped);
        }
        let (mut right, mut wrong, mut missed) = (0, 0, 0);
        for (n, n_dropped) in sizes.into_values() {
            let due = n - 1;
            right += n_dropped.min(due);
            wrong += n_dropped.saturating_sub(due);
            missed += due.saturating_sub(n_dropped);
        }
        StageScore::of(right, wrong, missed)
    }

    fn masking(&self) -> StageScore {
        let mut masked: HashMap<&str, Vec<&str>> = HashMap::new();
        for (id, span) in &self.cleaned.masked {
            masked.entry(id).or_default().push(span);
        }
        let mut sum = Overlap::default();
        for (id, page, _) in self.answerable(Stage::Pii) {
            let due = page.personal.iter().map(String::as_str).collect();
            sum.add(due, masked.remove(id).unwrap_or_default());
        }
        sum.score()
    }
}

/// What is common to two multisets, summed over pages.
#[derive(Default)]
struct Overlap {
    common: usize,
    n_expected: usize,
    n_found: usize,
}

impl Overlap {
    fn add<T: Eq + Hash>(&mut self, expected: Vec<T>, found: Vec<T>) {
        self.n_expected += expected.len();
        self.n_found += found.len();
        let mut left: HashMap<T, usize> = HashMap::new();
        for item in expected {
            *left.entry(item).or_default() += 1;
        }
        for item in found {
            if let Some(n) = left.get_mut(&item).filter(|n| **n > 0) {
                *n -= 1;
                self.common += 1;
            }
        }
    }

    fn score(&self) -> StageScore {
        StageScore::of(self.common, self.n_found - self.common, self.n_expected - self.common)
    }
}

/// A table for people.
impl fmt::Display for Scores {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "{:<18} {:>9} {:>9} {:>9} {:>9}", "stage", "precision", "recall", "wrong", "missed")?;
        for (stage, s) in &self.0 {
            let (name, wrong, missed) = (stage.name(), s.false_positives, s.false_negatives);
            writeln!(f, "{name:<18} {:>9.3} {:>9.3} {wrong:>9} {missed:>9}", s.precision, s.recall)?;
        }
        Ok(())
    }
}
