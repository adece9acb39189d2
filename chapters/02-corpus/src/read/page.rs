//! Reads an HTML file: one page, one record, up to a limit.

use std::io::{BufReader, Read};
use std::path::Path;

use super::{Record, Skipped, file_url};
use crate::Document;
use crate::compression::ByteStream;
use crate::html::MAX_HTML_BYTES;

/// The page in `input`.
///
/// # Errors
/// When it is too large, damaged or unreadable.
pub(super) fn read(input: BufReader<ByteStream>, file: &Path, id: &str) -> Result<Record, Skipped> {
    let skip = |reason: String| Skipped::new(file, 0, reason);
    let mut bytes = Vec::new();
    let mut input = input.take(MAX_HTML_BYTES as u64 + 1);
    input.read_to_end(&mut bytes).map_err(|error| skip(error.to_string()))?;
    if bytes.len() > MAX_HTML_BYTES {
        return Err(skip(format!("it is larger than a page may be, {MAX_HTML_BYTES} bytes")));
    }
    if let Some(gap) = input.get_mut().get_mut().take_gap_before(u64::MAX) {
        return Err(skip(gap.reason));
    }
    let html = String::from_utf8_lossy(&bytes).into_owned();
    let document = Document::new(id, file_url(file), html);
    Ok(Record { document, is_html: true, file: file.to_owned(), offset: 0 })
}
