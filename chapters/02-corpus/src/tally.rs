//! What the filters did, counted document by document.
//!
//! A stream has no "all documents", so the funnel is a sum: every judged page adds one to the stages that it reached.
//! Tallies of the parts of a corpus merge into the tally of the whole, whatever the order and the number of the parts.

use serde::{Deserialize, Serialize};

use crate::document::Document;
use crate::filters::{Filters, Passed, Rejection};
use crate::funnel::StageReport;
use crate::pipeline::Stage;
use crate::rule_table::RuleTable;

/// Counts of the filters, from the first stage to the last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterTally {
    /// One report a stage that is switched on, in order.
    pub stages: Vec<StageReport>,
    /// Which rule rejected what.
    pub rules: RuleTable,
}

impl FilterTally {
    /// An empty tally of the stages that are switched on.
    pub fn new(filters: &Filters) -> Self {
        let stages = filters.stages().into_iter().map(|stage| StageReport::entering(stage, &[])).collect();
        Self { stages, rules: RuleTable::default() }
    }

    /// Counts one page: its bytes before [`Filters::judge`], the page after it, and the verdict.
    pub fn add(&mut self, n_bytes_in: usize, document: &Document, verdict: &Result<Passed, Rejection>) {
        self.rules.add(document, verdict.as_ref().err());
        let last = verdict.as_ref().err().map(|rejection| rejection.stage);
        let mut n_bytes = n_bytes_in;
        for report in &mut self.stages {
            report.documents_in += 1;
            report.bytes_in += n_bytes;
            if report.stage == Stage::Lines {
                n_bytes = verdict.as_ref().map_or(document.text.len(), |passed| passed.n_bytes_unmasked);
            }
            if let Err(rejection) = verdict
                && last == Some(report.stage)
            {
                *report.reasons.entry(rejection.reason.clone()).or_default() += 1;
                return;
            }
            if let Ok(passed) = verdict
                && report.stage == Stage::Pii
            {
                report.n_masked += passed.masked.len();
                n_bytes = document.text.len();
            }
            report.documents_out += 1;
            report.bytes_out += n_bytes;
        }
    }

    /// Adds the counts of another part of the corpus.
    pub fn merge(&mut self, other: &Self) {
        self.rules.merge(&other.rules);
        for (report, more) in self.stages.iter_mut().zip(&other.stages) {
            report.documents_in += more.documents_in;
            report.documents_out += more.documents_out;
            report.bytes_in += more.bytes_in;
            report.bytes_out += more.bytes_out;
            report.n_masked += more.n_masked;
            for (reason, n) in &more.reasons {
                *report.reasons.entry(reason.clone()).or_default() += n;
            }
        }
    }
}
