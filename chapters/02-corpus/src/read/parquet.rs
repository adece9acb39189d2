//! Reads Parquet tables, the form in which most data sets on Hugging Face are kept: a row is a document.
//!
//! The column `text` must be there; `id` and `url` are taken if they are; all other columns become metadata, a struct named
//! `metadata` field by field. Rows are read one row group after another and a few values at a time, so memory holds one
//! page (about a megabyte in files of usual writers) of each column.
//!
//! What is refused: a file without a sound footer or without a text column, wholly; a damaged row group, from the first row
//! that cannot be read. The `parquet` crate panics on some damaged pages; that, too, costs the row group and no more. And it
//! passes over what it does not know without looking for the end of the file, so here the end is an error.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, FileReader, Length, SerializedFileReader};
use parquet::record::reader::{ReaderIter, TreeBuilder};
use parquet::record::{Field, Row};
use serde_json::Value;

use super::{Record, Skipped};
use crate::Document;

/// Values of a column that are decoded at once.
const BATCH_ROWS: usize = 64;

/// The rows of a file as records; a row without id is named `file_id#row`, counted from 1.
pub(super) struct Rows {
    file: PathBuf,
    file_id: String,
    reader: SerializedFileReader<Source>,
    next_group: usize,
    /// The row group at hand; `None` before the first and between two.
    rows: Option<ReaderIter>,
    /// Rows of the file, and of the group at hand, that were read.
    n_rows: u64,
    n_rows_in_group: u64,
}

impl Rows {
    /// Opens the file and reads its footer.
    pub fn open(path: &Path, file_id: &str) -> io::Result<Rows> {
        let file = File::open(path)?;
        let reader = guarded(|| SerializedFileReader::new(Source(file))).map_err(io::Error::other)?;
        let schema = reader.metadata().file_metadata().schema();
        let names: Vec<&str> = schema.get_fields().iter().map(|field| field.name()).collect();
        if !names.contains(&"text") {
            let names = names.join(", ");
            return Err(io::Error::other(format!("Parquet: it has no column \"text\"; its columns are {names}")));
        }
        let (file, file_id) = (path.to_owned(), file_id.to_owned());
        Ok(Rows { file, file_id, reader, next_group: 0, rows: None, n_rows: 0, n_rows_in_group: 0 })
    }

    fn open_group(&mut self) -> Result<(), String> {
        self.n_rows =
            self.reader.metadata().row_groups()[..self.next_group].iter().map(|g| g.num_rows().max(0) as u64).sum();
        self.n_rows_in_group = 0;
        self.next_group += 1;
        let group = guarded(|| self.reader.get_row_group(self.next_group - 1))?;
        let schema = self.reader.metadata().file_metadata().schema_descr_ptr();
        let builder = TreeBuilder::new().with_batch_size(BATCH_ROWS);
        self.rows = Some(guarded(|| builder.as_iter(schema, &*group))?);
        Ok(())
    }

    /// The next row of the group at hand; `None` at its end.
    fn next_row(&mut self) -> Option<Result<Row, String>> {
        let rows = self.rows.as_mut()?;
        let row = guarded(|| rows.next().transpose()).transpose();
        if !matches!(row, Some(Ok(_))) {
            self.rows = None;
        }
        row
    }

    fn skipped(&self, reason: &str) -> Skipped {
        let group = self.next_group - 1;
        let metadata = self.reader.metadata().row_groups().get(group);
        let offset = metadata.and_then(|group| group.columns().first()).map_or(0, |column| column.data_page_offset());
        let offset = u64::try_from(offset).unwrap_or(0);
        let row = self.n_rows_in_group;
        Skipped::new(&self.file, offset, format!("row group {group}, row {row}: {reason}"))
    }

    fn record(&self, row: Row) -> Result<Record, String> {
        let mut document = Document::default();
        for (name, field) in row.into_columns() {
            match (name.as_str(), field) {
                (_, Field::Null) => {}
                ("text", Field::Str(text)) => document.text = text,
                ("text", Field::Bytes(bytes)) => document.text = bytes.as_utf8().map_err(said)?.to_owned(),
                ("text", other) => return Err(format!("its text is {other}, not a string")),
                ("id", field) => document.id = as_text(&field),
                ("url", field) => document.url = as_text(&field),
                ("metadata", field @ Field::Group(_)) => {
                    if let Value::Object(fields) = field.to_json_value() {
                        document.metadata.extend(fields);
                    }
                }
                (_, field) => {
                    document.metadata.insert(name, field.to_json_value());
                }
            }
        }
        if document.text.trim().is_empty() {
            return Err("its text is empty".to_owned());
        }
        if document.id.is_empty() {
            document.id = format!("{}#{}", self.file_id, self.n_rows);
        }
        let offset = self.skipped("").offset;
        Ok(Record { document, is_html: false, file: self.file.clone(), offset })
    }
}

impl Iterator for Rows {
    type Item = Result<Record, Skipped>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.rows.is_none() {
                if self.next_group >= self.reader.num_row_groups() {
                    return None;
                }
                if let Err(reason) = self.open_group() {
                    return Some(Err(self.skipped(&reason)));
                }
            }
            let row = self.next_row();
            if row.is_some() {
                self.n_rows += 1;
                self.n_rows_in_group += 1;
            }
            match row {
                None => {}
                Some(row) => {
                    let record = row.and_then(|row| self.record(row));
                    return Some(record.map_err(|reason| self.skipped(&reason)));
                }
            }
        }
    }
}

/// A file whose end is an error. A page's header may claim a list of two thousand million fields behind the last byte, which
/// the library would pass over one by one.
struct Source(File);

impl Length for Source {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl ChunkReader for Source {
    type T = BufReader<ToTheEnd>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let mut file = self.0.try_clone()?;
        file.seek(SeekFrom::Start(start))?;
        Ok(BufReader::new(ToTheEnd(file)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.0.get_bytes(start, length)
    }
}

/// What is left of a file.
struct ToTheEnd(File);

impl Read for ToTheEnd {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 if !buffer.is_empty() => Err(ErrorKind::UnexpectedEof.into()),
            n_read => Ok(n_read),
        }
    }
}

fn as_text(field: &Field) -> String {
    match field.to_json_value() {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Runs the decoder, and turns its panics into errors.
fn guarded<T>(decode: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(decoded) => decoded.map_err(said),
        Err(_) => Err("Parquet: a damaged page".to_owned()),
    }
}

fn said(error: ParquetError) -> String {
    error.to_string()
}
