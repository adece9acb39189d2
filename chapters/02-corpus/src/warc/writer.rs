//! Writes pages as WARC `response` records, for corpora that we make ourselves.
//!
//! The bytes depend on nothing but the arguments: the date is a field, not the clock, and gzip members carry no time
//! stamp. So the same seed gives the same file. The file appears under its name when it is finished, never before.

use std::io::{self, Write};
use std::path::Path;

use flate2::{Compression, GzBuilder};

use crate::atomic_file::AtomicFile;

/// Writes a `.warc` file, or a `.warc.gz` with one gzip member a record.
// ANCHOR: warc_writer
#[derive(Debug)]
pub struct WarcWriter {
    /// `WARC-Date` of the records that follow; [`WarcWriter::DEFAULT_DATE`] until it is changed.
    pub date: String,
    file: AtomicFile,
    is_gzip: bool,
}

impl WarcWriter {
    /// A fixed date, so that files can be compared byte by byte.
    pub const DEFAULT_DATE: &'static str = "2000-01-01T00:00:00Z";

    /// Opens the file under a temporary name and writes its `warcinfo` record; a name in `.gz` is compressed.
    ///
    /// # Errors
    /// When the folder or the file cannot be written.
    pub fn create(path: &Path) -> io::Result<WarcWriter> {
        let is_gzip = path.extension().is_some_and(|extension| extension == "gz");
        let file = AtomicFile::create(path)?;
        let mut writer = WarcWriter { date: Self::DEFAULT_DATE.to_owned(), file, is_gzip };
        let info = b"software: llm-from-scratch\r\nformat: WARC File Format 1.0\r\n";
        writer.write_record("warcinfo", "urn:warcinfo", "", "application/warc-fields", info)?;
        Ok(writer)
    }

    /// Appends a page as the HTTP response that a crawler would have seen.
    ///
    /// # Errors
    /// When the disk is full, or `url` or `id` contains a line end and would break the header.
    pub fn write_response(&mut self, url: &str, id: &str, html: &str) -> io::Result<()> {
        let n_bytes = html.len();
        let mut block =
            format!("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {n_bytes}\r\n\r\n");
        block.push_str(html);
        self.write_record("response", id, url, "application/http; msgtype=response", block.as_bytes())
    }

    /// Forces everything to disk and gives the file its name.
    ///
    /// # Errors
    /// When the disk is full or the rename fails.
    pub fn finish(self) -> io::Result<()> {
        self.file.finish()
    }

    fn write_record(&mut self, kind: &str, id: &str, url: &str, media_type: &str, block: &[u8]) -> io::Result<()> {
        for value in [id, url, &self.date] {
            if value.contains(['\r', '\n']) {
                let message = format!("a WARC header cannot hold the line end in {value:?}");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
            }
        }
        let mut record = format!("WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <{id}>\r\n");
        record.push_str(&format!("WARC-Date: {}\r\n", self.date));
        if !url.is_empty() {
            record.push_str(&format!("WARC-Target-URI: {url}\r\n"));
        }
        record.push_str(&format!("Content-Type: {media_type}\r\nContent-Length: {}\r\n\r\n", block.len()));
        let mut record = record.into_bytes();
        record.extend_from_slice(block);
        record.extend_from_slice(b"\r\n\r\n");
        if !self.is_gzip {
            return self.file.write_all(&record);
        }
        let mut member = GzBuilder::new().mtime(0).write(&mut self.file, Compression::default());
        member.write_all(&record)?;
        member.finish().map(drop)
    }
}
// ANCHOR_END: warc_writer
