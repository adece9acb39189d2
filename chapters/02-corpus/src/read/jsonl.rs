//! Documents as JSON lines: one object a line, `{"id", "url", "text", …}`, the form in which corpora are exchanged.
//!
//! Only `text` must be there. Other fields become metadata, as in Hugging Face's datatrove, and a byte order mark is
//! ignored, so that files of other tools can be read as they are.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::listing::file_id;
use super::{ReadError, Reading, Record, Skipped};
use crate::Document;
use crate::atomic_file::AtomicFile;
use crate::compression::ByteStream;

/// Longer lines are skipped; bounds memory.
const MAX_LINE_BYTES: usize = 32 << 20;

/// Writes documents to a temporary name, forces them to disk, and renames.
///
/// # Errors
/// When the folder or disk cannot be written; then the old file, if there was one, is untouched.
// ANCHOR: write_jsonl
pub fn write_jsonl<'a>(path: &Path, documents: impl IntoIterator<Item = &'a Document>) -> Result<(), ReadError> {
    let write = || -> io::Result<()> {
        let mut file = AtomicFile::create(path)?;
        for document in documents {
            serde_json::to_writer(&mut file, document)?;
            file.write_all(b"\n")?;
        }
        file.finish()
    };
    write().map_err(|source| ReadError::Io { path: path.to_owned(), source })
}
// ANCHOR_END: write_jsonl

/// Reads a JSONL file; bad lines are skipped and counted with line number and byte offset.
///
/// # Errors
/// When the file is missing or the disk fails. A file without documents is no error here.
pub fn read_jsonl(path: &Path) -> Result<Reading, ReadError> {
    if !path.exists() {
        return Err(ReadError::Missing { path: path.to_owned() });
    }
    let stream = ByteStream::open(path).map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
    let mut reading = Reading::default();
    let lines = Lines::new(BufReader::new(stream), path, &file_id(path, path, false));
    for record in lines {
        match record {
            Ok(record) => reading.documents.push(record.document),
            Err(skipped) => reading.skipped.add(skipped),
        }
    }
    Ok(reading)
}

/// The lines of a file as records; a line without id is named `file_id#line`.
pub(super) struct Lines {
    input: BufReader<ByteStream>,
    file: PathBuf,
    file_id: String,
    /// Number of the line that was read last.
    number: u64,
    /// Where the next line begins.
    offset: u64,
    line: Vec<u8>,
    /// A line's record, when damage before it is reported first.
    waiting: Option<Result<Record, Skipped>>,
    is_at_end: bool,
}

impl Lines {
    pub fn new(input: BufReader<ByteStream>, file: &Path, file_id: &str) -> Lines {
        Lines {
            input,
            file: file.to_owned(),
            file_id: file_id.to_owned(),
            number: 0,
            offset: 0,
            line: Vec::new(),
            waiting: None,
            is_at_end: false,
        }
    }

    /// Reads the next line into `self.line`, or as much of it as a line may have; returns its whole length.
    fn read_line(&mut self) -> io::Result<u64> {
        self.line.clear();
        self.number += 1;
        let mut n_read = self.input.by_ref().take(MAX_LINE_BYTES as u64).read_until(b'\n', &mut self.line)? as u64;
        if self.line.len() == MAX_LINE_BYTES && self.line.last() != Some(&b'\n') {
            n_read += skip_line(&mut self.input)?;
        }
        Ok(n_read)
    }

    /// The record of the line that was read; `None` if it is blank.
    fn record(&self, offset: u64, n_line: u64) -> Option<Result<Record, Skipped>> {
        let content = match self.number {
            1 => self.line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.line),
            _ => &self.line,
        };
        let parsed = if n_line > MAX_LINE_BYTES as u64 {
            Err(format!("longer than {MAX_LINE_BYTES} bytes"))
        } else if content.trim_ascii().is_empty() {
            return None;
        } else {
            parse_line(content, || format!("{}#{}", self.file_id, self.number))
        };
        Some(match parsed {
            Ok(document) => Ok(Record { document, is_html: false, file: self.file.clone(), offset }),
            Err(reason) => Err(self.skipped_at(offset, &reason)),
        })
    }

    fn skipped_at(&self, offset: u64, reason: &str) -> Skipped {
        Skipped::new(&self.file, offset, format!("line {}: {reason}", self.number))
    }
}

impl Iterator for Lines {
    type Item = Result<Record, Skipped>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(waiting) = self.waiting.take() {
            return Some(waiting);
        }
        while !self.is_at_end {
            let offset = self.offset;
            let n_line = match self.read_line() {
                Ok(n_line) => n_line,
                Err(error) => {
                    self.is_at_end = true;
                    return Some(Err(self.skipped_at(offset, &format!("cannot read on: {error}"))));
                }
            };
            self.is_at_end = n_line == 0;
            self.offset += n_line;
            let until = if self.is_at_end { u64::MAX } else { self.offset };
            let record = self.record(offset, n_line);
            let Some(gap) = self.input.get_mut().take_gap_before(until) else {
                if record.is_some() {
                    return record;
                }
                continue;
            };
            // A gap inside the line spoils it; one before it does not.
            let is_spoilt = offset < gap.offset;
            self.waiting = record.filter(|_| !is_spoilt);
            return Some(Err(self.skipped_at(offset, &gap.reason)));
        }
        None
    }
}

/// A line as other tools write it: ids may be numbers, urls may be null.
#[derive(Deserialize)]
struct Line {
    text: String,
    id: Option<Value>,
    url: Option<Value>,
    #[serde(default)]
    metadata: BTreeMap<String, Value>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// A document of one line, whose id is `default_id` if it has none.
pub(crate) fn parse_line(line: &[u8], default_id: impl Fn() -> String) -> Result<Document, String> {
    // The error's own position is within the line; ours is the line's place in the file.
    let line: Line = serde_json::from_slice(line.trim_ascii()).map_err(|error| error.to_string())?;
    if line.text.trim().is_empty() {
        return Err("its \"text\" is empty".to_owned());
    }
    let as_text = |value: Value| match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let id = line.id.map(as_text).filter(|id| !id.is_empty()).unwrap_or_else(default_id);
    let metadata = line.others.into_iter().chain(line.metadata).collect();
    Ok(Document { id, url: line.url.map(as_text).unwrap_or_default(), text: line.text, metadata })
}

/// Consumes the rest of a line; returns its length.
fn skip_line(input: &mut impl BufRead) -> io::Result<u64> {
    let mut n_skipped = 0;
    loop {
        let available = input.fill_buf()?;
        if available.is_empty() {
            return Ok(n_skipped);
        }
        let line_end = memchr::memchr(b'\n', available);
        let n = line_end.map_or(available.len(), |at| at + 1);
        input.consume(n);
        n_skipped += n as u64;
        if line_end.is_some() {
            return Ok(n_skipped);
        }
    }
}
