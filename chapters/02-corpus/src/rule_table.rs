//! Which rule rejected what: a row a rule, with its count, its share, and a few of the pages it dropped.
//!
//! A count alone does not say whether a rule is right; the samples do. They must not depend on which machine read which
//! shard first, so a row keeps the pages whose ids have the smallest hashes: a fair sample (a hash knows nothing of
//! the page), the same in any order, and the samples of two parts merge into those of the whole.
//!
//! Samples are shortened, and personal data in them is masked whatever the settings say: a report is passed around.

use std::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::document::Document;
use crate::filters::Rejection;
use crate::pii::{self, PiiConfig};
use crate::pipeline::Stage;

/// Pages kept of each rule.
pub const N_SAMPLES: usize = 3;
/// Characters kept of each page.
pub const SAMPLE_CHARS: usize = 160;

/// A page that a rule dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// The page's id.
    pub id: String,
    /// Its beginning, on one line.
    pub text: String,
}

/// What one rule did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleRow {
    /// The filter.
    pub stage: Stage,
    /// The rule.
    pub rule: String,
    /// Pages that it rejected: those that broke no earlier rule.
    pub n_rejected: usize,
    /// Bytes of text in them.
    pub n_bytes: usize,
    /// Some of them.
    pub samples: Vec<Sample>,
}

/// What all rules did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleTable {
    /// Pages that were judged.
    pub n_judged: usize,
    /// A row for each rule that rejected a page, by stage, then by name.
    pub rows: Vec<RuleRow>,
}

impl RuleTable {
    /// Counts a page that passed (`None`) or was rejected.
    pub fn add(&mut self, document: &Document, rejection: Option<&Rejection>) {
        self.n_judged += 1;
        let Some(rejection) = rejection else { return };
        let row = self.row(rejection.stage, &rejection.reason);
        row.n_rejected += 1;
        row.n_bytes += document.text.len();
        if row.wants(&document.id) {
            let sample = Sample { id: document.id.clone(), text: shortened(&document.text) };
            row.keep([sample]);
        }
    }

    /// Adds the counts and samples of another part of the corpus.
    pub fn merge(&mut self, other: &Self) {
        self.n_judged += other.n_judged;
        for more in &other.rows {
            let row = self.row(more.stage, &more.rule);
            row.n_rejected += more.n_rejected;
            row.n_bytes += more.n_bytes;
            row.keep(more.samples.clone());
        }
    }

    fn row(&mut self, stage: Stage, rule: &str) -> &mut RuleRow {
        let place = self.rows.binary_search_by(|row| (row.stage, row.rule.as_str()).cmp(&(stage, rule)));
        let at = place.unwrap_or_else(|at| {
            let samples = Vec::new();
            self.rows.insert(at, RuleRow { stage, rule: rule.into(), n_rejected: 0, n_bytes: 0, samples });
            at
        });
        &mut self.rows[at]
    }
}

impl RuleRow {
    fn wants(&self, id: &str) -> bool {
        self.samples.len() < N_SAMPLES || self.samples.last().is_some_and(|last| key(id) < key(&last.id))
    }

    fn keep(&mut self, samples: impl IntoIterator<Item = Sample>) {
        self.samples.extend(samples);
        self.samples.sort_by(|a, b| key(&a.id).cmp(&key(&b.id)));
        self.samples.truncate(N_SAMPLES);
    }
}

/// Ids may have equal hashes, and must be in one order all the same.
fn key(id: &str) -> (u64, &str) {
    (xxh3_64(id.as_bytes()), id)
}

/// The beginning of a page on one line, without personal data.
pub(crate) fn shortened(text: &str) -> String {
    // Twice as much is masked as is shown, so that no address is cut before it is recognised.
    let start: String = text.chars().take(2 * SAMPLE_CHARS).collect();
    let masked = pii::mask(&start, &PiiConfig::default()).text;
    let line = masked.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut cut: String = line.chars().take(SAMPLE_CHARS).collect();
    if cut.len() < line.len() || start.len() < text.len() {
        cut.push('…');
    }
    cut
}

/// A table for people.
impl fmt::Display for RuleTable {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "{:<15} {:<26} {:>9} {:>8}  for example", "stage", "rule", "rejected", "share")?;
        for row in &self.rows {
            let percent = 100.0 * row.n_rejected as f64 / self.n_judged.max(1) as f64;
            let example = row.samples.first().map_or("", |sample| sample.id.as_str());
            writeln!(f, "{:<15} {:<26} {:>9} {percent:>7.2}%  {example}", row.stage.name(), row.rule, row.n_rejected)?;
        }
        let n_rejected: usize = self.rows.iter().map(|row| row.n_rejected).sum();
        writeln!(f, "{} of {} pages passed", self.n_judged - n_rejected.min(self.n_judged), self.n_judged)
    }
}
