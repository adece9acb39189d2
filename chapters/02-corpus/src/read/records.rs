//! The records of one file, one after another, in memory that does not depend on the file's size.
//!
//! A record is a document whose text may still be HTML. Reading is cheap and sequential, extraction is dear and
//! independent: so a caller reads records in one thread and calls [`Record::extract`] in all of them.
//!
//! What is in memory at once: a WARC record of at most [`WarcReader::MAX_RECORD_BYTES`], a JSON line, a piece of text, or a
//! page, each with its limit. What is larger is passed over and reported.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use super::listing::{FileKind, InputFile};
use super::{Skipped, jsonl, page, text};
use crate::Document;
use crate::compression::ByteStream;
use crate::html::Extracted;
use crate::rustdoc::extract_page;
use crate::warc::{WarcReader, WarcRecord};

/// A document as it stands in its file.
// ANCHOR: record
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its text, still HTML if `is_html`.
    pub document: Document,
    /// Whether the text is HTML.
    pub is_html: bool,
    /// The file that holds it.
    pub file: PathBuf,
    /// Byte offset in the (decompressed) file.
    pub offset: u64,
}

impl Record {
    /// Turns HTML into its main text; other text stays as it is.
    ///
    /// # Errors
    /// When there is no text.
    pub fn extract(mut self) -> Result<Document, Skipped> {
        if self.is_html {
            let Extracted { text, title, licence, robots, .. } = extract_page(&self.document.text);
            self.document.text = text;
            for (name, value) in [("title", title), ("licence", licence), ("robots", robots)] {
                self.document.metadata.extend(value.map(|value| (name.to_owned(), value.into())));
            }
        }
        if self.document.text.trim().is_empty() {
            return Err(Skipped::new(&self.file, self.offset, "no text in it"));
        }
        Ok(self.document)
    }
}
// ANCHOR_END: record

/// Iterates over the records of a file. What cannot be read is an item, too; an error of the disk is the last one.
pub struct Records(Box<dyn Iterator<Item = Result<Record, Skipped>> + Send>);

impl Iterator for Records {
    type Item = Result<Record, Skipped>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

impl InputFile {
    /// Opens the file. What it holds is seen from its first bytes where they tell, else from its name.
    ///
    /// # Errors
    /// When the file cannot be opened or its first bytes cannot be read.
    // ANCHOR: records
    pub fn records(&self) -> io::Result<Records> {
        Ok(match self.kind_by_content()? {
            FileKind::Warc => {
                let (file, id) = (self.path.clone(), self.id.clone());
                let pages = WarcReader::open(&self.path)?.map(move |record| match record {
                    Ok(record) => from_warc(record, &file, &id),
                    Err(problem) => Err(Skipped::from(problem)),
                });
                Records(Box::new(pages))
            }
            FileKind::Jsonl => Records(Box::new(jsonl::Lines::new(self.stream()?, &self.path, &self.id))),
            FileKind::Text => Records(Box::new(text::Pieces::new(self.stream()?, &self.path, &self.id))),
            FileKind::Html => Records(Box::new(std::iter::once(page::read(self.stream()?, &self.path, &self.id)))),
            FileKind::Parquet => open_table(&self.path, &self.id)?,
        })
    }
    // ANCHOR_END: records

    fn stream(&self) -> io::Result<BufReader<ByteStream>> {
        Ok(BufReader::with_capacity(64 << 10, ByteStream::open(&self.path)?))
    }

    fn kind_by_content(&self) -> io::Result<FileKind> {
        let mut first = Vec::new();
        File::open(&self.path)?.take(4).read_to_end(&mut first)?;
        if first == b"PAR1" {
            return Ok(FileKind::Parquet);
        }
        first.clear();
        // A damaged file fails again when it is read, with a better message.
        let _ = ByteStream::open(&self.path)?.take(7).read_to_end(&mut first);
        Ok(if first == b"WARC/1." { FileKind::Warc } else { self.kind })
    }
}

#[cfg(feature = "parquet")]
fn open_table(file: &Path, file_id: &str) -> io::Result<Records> {
    Ok(Records(Box::new(super::parquet::Rows::open(file, file_id)?)))
}

#[cfg(not(feature = "parquet"))]
fn open_table(_: &Path, _: &str) -> io::Result<Records> {
    let message = "it is a Parquet table, which this build cannot read; build with `--features parquet`";
    Err(io::Error::new(io::ErrorKind::Unsupported, message))
}

/// A WARC record as a record of any file.
///
/// # Errors
/// When its status or type says that it is no document.
pub(crate) fn from_warc(record: WarcRecord, file: &Path, file_id: &str) -> Result<Record, Skipped> {
    let offset = record.offset;
    let is_html = record.is_html().map_err(|reason| Skipped::new(file, offset, reason))?;
    Ok(Record { document: record.into_document(file_id), is_html, file: file.to_owned(), offset })
}

/// Remembers an encoding other than UTF-8: when a text looks broken, it is the first thing to know.
pub(crate) fn note_charset(document: &mut Document, encoding: &str) {
    if encoding != "UTF-8" {
        document.metadata.insert("charset".to_owned(), encoding.into());
    }
}
