//! The funnel: how many documents and bytes went into each stage, how many came out, and why the others did not.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::document::Document;
use crate::pipeline::Stage;

/// One stage of the funnel. The counts in `reasons` add up to `documents_in - documents_out`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageReport {
    /// Which stage.
    pub stage: Stage,
    /// Documents before the stage.
    pub documents_in: usize,
    /// Documents after it.
    pub documents_out: usize,
    /// Bytes of text before the stage (of HTML, for extraction).
    pub bytes_in: usize,
    /// Bytes of text after it.
    pub bytes_out: usize,
    /// Pieces of personal data that were masked.
    pub n_masked: usize,
    /// Reason to number of documents dropped for it.
    pub reasons: BTreeMap<String, usize>,
}

/// The stages that ran, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Funnel {
    /// One report a stage.
    pub stages: Vec<StageReport>,
}

impl StageReport {
    /// A report of a stage that `documents` are about to enter.
    pub fn entering(stage: Stage, documents: &[Document]) -> Self {
        let (documents_in, bytes_in) = size(documents);
        let reasons = BTreeMap::new();
        Self { stage, documents_in, documents_out: 0, bytes_in, bytes_out: 0, n_masked: 0, reasons }
    }

    /// Notes what is left after the stage.
    pub fn leaving(&mut self, documents: &[Document]) {
        (self.documents_out, self.bytes_out) = size(documents);
    }
}

fn size(documents: &[Document]) -> (usize, usize) {
    (documents.len(), documents.iter().map(|d| d.text.len()).sum())
}

/// A table for people, 66 columns wide: a row a stage, below it the reasons.
impl fmt::Display for Funnel {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "{:<24} {:>9} {:>9} {:>9} {:>10}", "stage", "pages in", "dropped", "pages out", "KB out")?;
        for s in &self.stages {
            let dropped = s.documents_in - s.documents_out;
            let kb = s.bytes_out as f64 / 1e3;
            let name = s.stage.name();
            writeln!(f, "{name:<24} {:>9} {dropped:>9} {:>9} {kb:>10.1}", s.documents_in, s.documents_out)?;
            for (reason, n) in s.reasons.iter().filter(|(reason, _)| *reason != "duplicate") {
                writeln!(f, "  {reason:<32} {n:>9}")?;
            }
            if s.n_masked > 0 {
                writeln!(f, "  {:<32} {:>9}", "masked, not dropped", s.n_masked)?;
            }
        }
        Ok(())
    }
}
