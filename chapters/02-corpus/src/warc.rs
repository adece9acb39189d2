//! WARC, the file format in which the web is archived (ISO 28500; Common Crawl stores its pages in it).
//!
//! A WARC file is a row of records. A record is a header, an empty line, `Content-Length` bytes, and two line ends:
//!
//! ```text
//! WARC/1.0\r\n
//! WARC-Type: response\r\n
//! WARC-Record-ID: <urn:page:17>\r\n
//! WARC-Target-URI: https://example.org/\r\n
//! Content-Length: 4242\r\n
//! \r\n
//! HTTP/1.1 200 OK\r\n ... \r\n\r\n<html> ...
//! \r\n\r\n
//! ```
//!
//! In a `.warc.gz` every record is a gzip member of its own, and the members follow one another: a damaged member costs
//! one record, not the rest of the file. [`WarcReader`] reads both; [`WarcWriter`] writes both.
//!
//! What is refused: records above a size limit, truncated and malformed ones, and bodies in an encoding other than
//! gzip. Each is reported as a [`WarcProblem`] with its byte offset, and reading goes on at the next `WARC/1.` line.

mod http;
mod reader;
mod writer;

pub use reader::WarcReader;
pub use writer::WarcWriter;

use std::path::PathBuf;

use crate::document::Document;

/// A record that holds a page. Records of other types (`request`, `warcinfo`, `metadata`, …) are passed over.
// ANCHOR: warc_record
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WarcRecord {
    /// What the record holds.
    pub kind: RecordKind,
    /// `WARC-Record-ID` without its angle brackets; empty if absent.
    pub id: String,
    /// `WARC-Target-URI`; empty if absent.
    pub url: String,
    /// `WARC-Date`, as written; empty if absent.
    pub date: String,
    /// Status of the HTTP response; `None` for the other kinds.
    pub http_status: Option<u16>,
    /// Media type of the payload in lower case, without parameters: `text/html`; empty if absent.
    pub content_type: String,
    /// The payload, HTTP header removed, decoded as UTF-8; bytes that are not UTF-8 become U+FFFD.
    pub text: String,
    /// Byte offset of the record in the (decompressed) stream.
    pub offset: u64,
}
// ANCHOR_END: warc_record

impl WarcRecord {
    /// Whether the text is HTML; otherwise it is plain text.
    ///
    /// # Errors
    /// The reason why it is no document: an HTTP status other than 2xx, or a type that is neither HTML nor text.
    pub fn is_html(&self) -> Result<bool, String> {
        if let Some(status) = self.http_status.filter(|status| !(200..300).contains(status)) {
            return Err(format!("HTTP status {status}"));
        }
        match self.content_type.as_str() {
            _ if self.kind == RecordKind::Conversion => Ok(false),
            "text/html" | "application/xhtml+xml" | "" => Ok(true),
            "text/plain" | "text/markdown" => Ok(false),
            other => Err(format!("its type is {other}, not HTML or text")),
        }
    }

    /// The document with the record's text as it is; a record without id is named `file_id#offset`.
    pub fn into_document(self, file_id: &str) -> Document {
        let Self { id, url, text, offset, .. } = self;
        let id = if id.is_empty() { format!("{file_id}#{offset}") } else { id };
        Document::new(id, url, text)
    }
}

/// The three record types that carry a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    /// An HTTP response: a WARC file as the crawler wrote it.
    Response,
    /// A resource that came without HTTP.
    Resource,
    /// Text converted from another record: Common Crawl's WET files.
    Conversion,
}

/// A record that could not be read, and where it began.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: record at byte {offset}: {reason}", file.display())]
pub struct WarcProblem {
    /// The WARC file.
    pub file: PathBuf,
    /// Byte offset of the damaged record in the (decompressed) stream.
    pub offset: u64,
    /// What is wrong with it.
    pub reason: String,
}
