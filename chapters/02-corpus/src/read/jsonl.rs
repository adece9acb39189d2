//! Documents as JSON lines: one object a line, `{"id", "url", "text", …}`, the form in which corpora are exchanged.
//!
//! Only `text` must be there. Other fields become metadata, as in Hugging Face's datatrove, and a byte order mark is
//! ignored, so that files of other tools can be read as they are.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::{ReadError, Reading};
use crate::Document;
use crate::atomic_file::AtomicFile;

/// Longer lines are skipped; bounds memory.
const MAX_LINE_BYTES: usize = 64 << 20;

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
    let id = super::relative_id(path, path);
    let mut reading = Reading::default();
    File::open(path)
        .and_then(|file| read_lines(BufReader::new(file), path, &id, &mut reading))
        .map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
    Ok(reading)
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

/// Appends the documents of `input`; a line without id is named `file_id#line`.
pub(super) fn read_lines(mut input: impl BufRead, file: &Path, file_id: &str, reading: &mut Reading) -> io::Result<()> {
    let mut offset = 0;
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let n_read = input.by_ref().take(MAX_LINE_BYTES as u64).read_until(b'\n', &mut line)? as u64;
        if n_read == 0 {
            return Ok(());
        }
        let content = match number {
            1 => line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line),
            _ => &line,
        };
        let mut n_line = n_read;
        if line.len() == MAX_LINE_BYTES && line.last() != Some(&b'\n') {
            n_line += skip_line(&mut input)?;
            reading.skipped.add(file, offset, format!("line {number}: longer than {MAX_LINE_BYTES} bytes"));
        } else if !content.trim_ascii().is_empty() {
            match parse_line(content, || format!("{file_id}#{number}")) {
                Ok(document) => reading.documents.push(document),
                Err(reason) => reading.skipped.add(file, offset, format!("line {number}: {reason}")),
            }
        }
        offset += n_line;
    }
    Ok(())
}

fn parse_line(line: &[u8], default_id: impl Fn() -> String) -> Result<Document, String> {
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
        let line_end = available.iter().position(|byte| *byte == b'\n');
        let n = line_end.map_or(available.len(), |at| at + 1);
        input.consume(n);
        n_skipped += n as u64;
        if line_end.is_some() {
            return Ok(n_skipped);
        }
    }
}
