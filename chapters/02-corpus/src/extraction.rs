//! The first stage: from the records of an archive to the main text of their pages.
//!
//! Records are read in order, a chunk at a time, and a chunk's pages are extracted on all threads; memory holds one
//! chunk of HTML and all text. Pages with an HTTP status other than 2xx, pages of other types than HTML and text, and pages
//! without any text are dropped with a reason; damaged records are collected with their place in the file.

use std::path::Path;

use rayon::prelude::*;

use crate::document::Document;
use crate::funnel::StageReport;
use crate::pipeline::{Progress, Stage};
use crate::read::{Record, from_warc};
use crate::warc::{WarcProblem, WarcReader, WarcRecord};

/// The text of an archive's pages.
#[derive(Debug, Clone, PartialEq)]
pub struct Extracted {
    /// Pages with text, in the archive's order.
    pub documents: Vec<Document>,
    /// Pages and bytes in and out.
    pub report: StageReport,
    /// Records that could not be read.
    pub problems: Vec<WarcProblem>,
}

/// Records that are in memory as HTML at one time.
const CHUNK_RECORDS: usize = 1024;

// ANCHOR: extract_warc
/// Reads a WARC file and extracts the main text of every page, a chunk of records at a time.
///
/// # Errors
/// The file cannot be opened. Damaged records are no error: they are in [`Extracted::problems`].
pub fn extract_warc(path: &Path, progress: Progress) -> std::io::Result<Extracted> {
    let mut extracted = Extracted {
        documents: Vec::new(),
        report: StageReport::entering(Stage::Extraction, &[]),
        problems: Vec::new(),
    };
    let file_id = path.file_name().unwrap_or_default().to_string_lossy();
    let mut reader = WarcReader::open(path)?;
    loop {
        let chunk: Vec<_> = reader.by_ref().take(CHUNK_RECORDS).collect();
        if chunk.is_empty() {
            extracted.report.leaving(&extracted.documents);
            return Ok(extracted);
        }
        let extract = |record: WarcRecord| extract_record(record, path, &file_id);
        let pages: Vec<_> = chunk.into_par_iter().map(|record| record.map(extract)).collect();
        for page in pages {
            extracted.take(page);
        }
        progress(Stage::Extraction, extracted.report.documents_in, 0);
    }
}
// ANCHOR_END: extract_warc

/// A page's size before extraction, and its text or the reason why there is none.
type ExtractedRecord = (usize, Result<Document, String>);

fn extract_record(record: WarcRecord, file: &Path, file_id: &str) -> ExtractedRecord {
    let n_bytes = record.text.len();
    let page = from_warc(record, file, file_id).and_then(Record::extract);
    (n_bytes, page.map_err(|skipped| skipped.reason))
}

impl Extracted {
    fn take(&mut self, page: Result<ExtractedRecord, WarcProblem>) {
        match page {
            Err(problem) => self.problems.push(problem),
            Ok((n_bytes, page)) => {
                self.report.documents_in += 1;
                self.report.bytes_in += n_bytes;
                match page {
                    Ok(document) => self.documents.push(document),
                    Err(reason) => *self.report.reasons.entry(reason).or_default() += 1,
                }
            }
        }
    }
}
