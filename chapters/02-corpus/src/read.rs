//! Reads any folder of text, HTML, JSONL and WARC files as documents.
//!
//! What people have on disk is mixed and damaged: a cut download, a line of broken JSON, a page in an old encoding. One
//! bad record must not end a run over a million good ones, and must not vanish silently either. So what cannot be read is
//! skipped, counted, and named with file, byte offset and reason ([`Skips`]). An error is only what leaves nothing to do:
//! a missing path, a folder without readable files, files without a single document.
//!
//! Files are read in the order of their names, pages are extracted on all threads, and the documents come out in the
//! order of the files. Files are streamed; what stays in memory is the documents.

mod jsonl;
mod listing;
mod page;
#[cfg(feature = "parquet")]
mod parquet;
mod records;
mod text;

pub(crate) use jsonl::parse_line;
pub use jsonl::{read_jsonl, write_jsonl};
pub use listing::{FileKind, InputFile, Listing, list};
pub use records::{Record, Records};

pub(crate) use records::{from_warc, note_charset};

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::Document;
use crate::warc::WarcProblem;

/// What [`list`] finds; other files are passed over.
pub const READABLE: &str = ".txt, .md, .html, .jsonl, .warc, .wet, each also as .gz or .zst (.warc.gz), and .parquet";

/// Pages that are extracted at once.
const BATCH_PAGES: usize = 256;

/// Documents, and what was skipped on the way to them.
// ANCHOR: reading
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// In the order of the files.
    pub documents: Vec<Document>,
    /// What could not be read.
    pub skipped: Skips,
}

/// How much was skipped: the number of all, and the first few with place and reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Skips {
    /// All of them.
    pub count: usize,
    /// The first [`Skips::MAX_KEPT`].
    pub first: Vec<Skipped>,
}

/// One record, line, page or file that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The file.
    pub file: PathBuf,
    /// Byte offset of the record or line in the (decompressed) file.
    pub offset: u64,
    /// What is wrong with it; for JSONL with the line number.
    pub reason: String,
}
// ANCHOR_END: reading

impl Skips {
    /// A damaged file may have millions of bad lines; the first ones say what is wrong.
    pub const MAX_KEPT: usize = 100;

    /// Counts one more, and keeps it if it is among the first.
    pub fn add(&mut self, skipped: Skipped) {
        self.count += 1;
        if self.first.len() < Self::MAX_KEPT {
            self.first.push(skipped);
        }
    }
}

impl Skipped {
    pub(crate) fn new(file: &Path, offset: u64, reason: impl Into<String>) -> Skipped {
        Skipped { file: file.to_owned(), offset, reason: reason.into() }
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: {}", self.file.display(), self.offset, self.reason)
    }
}

impl From<WarcProblem> for Skipped {
    fn from(problem: WarcProblem) -> Skipped {
        Skipped { file: problem.file, offset: problem.offset, reason: problem.reason }
    }
}

/// Why there are no documents.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Nothing has this name.
    #[error("{} does not exist; give a folder or a file with {}", path.display(), READABLE)]
    Missing {
        /// The path as it was given.
        path: PathBuf,
    },
    /// The path holds no file of a known type.
    #[error("no readable file in {}: looked for {}, found {n_other} files of other types", path.display(), READABLE)]
    NoReadableFiles {
        /// The path as it was given.
        path: PathBuf,
        /// Files with other names.
        n_other: usize,
    },
    /// There are files, but no document in them.
    #[error("no document in the {n_files} files of {}: {}", path.display(), why_empty(skipped))]
    Empty {
        /// The path as it was given.
        path: PathBuf,
        /// Readable files.
        n_files: usize,
        /// What was skipped in them.
        skipped: Skips,
    },
    /// The path itself could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

fn why_empty(skipped: &Skips) -> String {
    match skipped.first.first() {
        Some(first) => format!("{} skipped, the first is {first}", skipped.count),
        None => "they are empty".to_owned(),
    }
}

/// Reads every document below `path`, or in the file `path`.
///
/// HTML becomes its main text; text, Markdown and WET records stay as they are. A document's id is its path relative to
/// `path` (with `#n`, a piece, a line or a byte offset, where a file holds several), or the id that its record or line
/// gives.
///
/// # Errors
/// When the path is missing or unreadable, has no readable files, or these have no documents. All else is skipped and
/// counted.
// ANCHOR: read_folder
pub fn read_folder(path: &Path) -> Result<Reading, ReadError> {
    let Listing { files, skipped, .. } = list(&[path.to_owned()])?;
    let mut reading = Reading { documents: Vec::new(), skipped };
    for file in &files {
        match file.records() {
            Ok(records) => reading.extract_all(records),
            Err(error) => reading.skipped.add(Skipped::new(&file.path, 0, error.to_string())),
        }
    }
    let Reading { documents, skipped } = reading;
    if documents.is_empty() {
        return Err(ReadError::Empty { path: path.to_owned(), n_files: files.len(), skipped });
    }
    Ok(Reading { documents, skipped })
}
// ANCHOR_END: read_folder

impl Reading {
    /// Extracts on all threads; the order stays.
    fn extract_all(&mut self, mut records: Records) {
        loop {
            let batch: Vec<_> = records.by_ref().take(BATCH_PAGES).collect();
            if batch.is_empty() {
                return;
            }
            let batch: Vec<_> = batch.into_par_iter().map(|record| record.and_then(Record::extract)).collect();
            for document in batch {
                match document {
                    Ok(document) => self.documents.push(document),
                    Err(skipped) => self.skipped.add(skipped),
                }
            }
        }
    }
}

fn file_url(file: &Path) -> String {
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    format!("file://{}", absolute.display())
}
