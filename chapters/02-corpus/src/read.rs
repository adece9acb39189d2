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
mod text;
mod walk;

pub use jsonl::{read_jsonl, write_jsonl};

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::Document;
use crate::rustdoc::extract_page;
use crate::warc::{WarcProblem, WarcReader};
use walk::{FileKind, Found, walk};

/// What [`read_folder`] opens; other files are passed over.
pub const READABLE: [&str; 7] = [".txt", ".md", ".html", ".htm", ".jsonl", ".warc", ".warc.gz"];

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

    fn add(&mut self, file: &Path, offset: u64, reason: impl Into<String>) {
        self.count += 1;
        if self.first.len() < Self::MAX_KEPT {
            self.first.push(Skipped { file: file.to_owned(), offset, reason: reason.into() });
        }
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
    #[error("{} does not exist; give a folder or a file with {}", path.display(), READABLE.join(", "))]
    Missing {
        /// The path as it was given.
        path: PathBuf,
    },
    /// The path holds no file of a known type.
    #[error("no readable file in {}: looked for {}, found {n_other} files of other types", path.display(), READABLE.join(", "))]
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
    if !path.exists() {
        return Err(ReadError::Missing { path: path.to_owned() });
    }
    let mut reader = Reader::default();
    let Found { files, n_other } = walk(path, &mut reader.reading.skipped)?;
    if files.is_empty() {
        return Err(ReadError::NoReadableFiles { path: path.to_owned(), n_other });
    }
    let n_files = files.len();
    for (file, kind) in files {
        let read = match kind {
            FileKind::Text => reader.read_text(path, &file),
            FileKind::Html => reader.read_html(path, &file),
            FileKind::Jsonl => reader.read_lines(path, &file),
            FileKind::Warc => reader.read_warc(path, &file),
        };
        if let Err(error) = read {
            reader.reading.skipped.add(&file, 0, error.to_string());
        }
    }
    reader.extract_waiting();
    let Reading { documents, skipped } = reader.reading;
    if documents.is_empty() {
        return Err(ReadError::Empty { path: path.to_owned(), n_files, skipped });
    }
    Ok(Reading { documents, skipped })
}
// ANCHOR_END: read_folder

/// The documents so far, and pages that wait for a full batch.
#[derive(Default)]
struct Reader {
    reading: Reading,
    waiting: Vec<Waiting>,
}

/// A document whose text is still HTML (or already text), and where it stands.
struct Waiting {
    document: Document,
    is_html: bool,
    file: PathBuf,
    offset: u64,
}

impl Reader {
    fn read_text(&mut self, root: &Path, file: &Path) -> io::Result<()> {
        self.extract_waiting();
        text::read_text(file, &relative_id(root, file), &mut self.reading)
    }

    fn read_lines(&mut self, root: &Path, file: &Path) -> io::Result<()> {
        self.extract_waiting();
        jsonl::read_lines(BufReader::new(File::open(file)?), file, &relative_id(root, file), &mut self.reading)
    }

    fn read_html(&mut self, root: &Path, file: &Path) -> io::Result<()> {
        let n_bytes = fs::metadata(file)?.len();
        if n_bytes > crate::html::MAX_HTML_BYTES as u64 {
            let reason = format!("its {n_bytes} bytes are above the limit for a page, {}", crate::html::MAX_HTML_BYTES);
            self.reading.skipped.add(file, 0, reason);
            return Ok(());
        }
        let html = String::from_utf8_lossy(&fs::read(file)?).into_owned();
        let document = Document::new(relative_id(root, file), file_url(file), html);
        self.wait(Waiting { document, is_html: true, file: file.to_owned(), offset: 0 });
        Ok(())
    }

    fn read_warc(&mut self, root: &Path, file: &Path) -> io::Result<()> {
        let file_id = relative_id(root, file);
        for record in WarcReader::open(file)? {
            match record.map_err(Skipped::from) {
                Err(skipped) => self.reading.skipped.add(&skipped.file, skipped.offset, skipped.reason),
                Ok(record) => match record.is_html() {
                    Err(reason) => self.reading.skipped.add(file, record.offset, reason),
                    Ok(is_html) => {
                        let offset = record.offset;
                        let document = record.into_document(&file_id);
                        self.wait(Waiting { document, is_html, file: file.to_owned(), offset });
                    }
                },
            }
        }
        Ok(())
    }

    fn wait(&mut self, page: Waiting) {
        self.waiting.push(page);
        if self.waiting.len() >= BATCH_PAGES {
            self.extract_waiting();
        }
    }

    /// Extracts on all threads; the order stays.
    fn extract_waiting(&mut self) {
        let extract = |mut page: Waiting| {
            if page.is_html {
                page.document.text = extract_page(&page.document.text).text;
            }
            page
        };
        let pages: Vec<Waiting> = std::mem::take(&mut self.waiting).into_par_iter().map(extract).collect();
        for Waiting { document, file, offset, .. } in pages {
            if document.text.trim().is_empty() {
                self.reading.skipped.add(&file, offset, "no text in it");
            } else {
                self.reading.documents.push(document);
            }
        }
    }
}

/// The file's path relative to the folder that was asked for, with `/` on every system.
fn relative_id(root: &Path, file: &Path) -> String {
    let relative = file.strip_prefix(root).ok().filter(|relative| relative.file_name().is_some());
    let relative = relative.or_else(|| file.file_name().map(Path::new)).unwrap_or(file);
    let parts: Vec<_> = relative.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    parts.join("/")
}

fn file_url(file: &Path) -> String {
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    format!("file://{}", absolute.display())
}
