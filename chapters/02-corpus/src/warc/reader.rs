//! Reads WARC records one after another in bounded memory, and finds its way back after a damaged one.
//!
//! The reader holds a window of the stream. A record is accepted when its header parses, its `Content-Length` bytes are
//! there, and two line ends or the end of the file follow. Otherwise the length cannot be trusted: the reader reports the
//! record's offset and searches for the next line that begins with `WARC/1.`, inside the distrusted record too, because
//! that is where the next record hides when a crawler died half way through a write. A record above
//! [`WarcReader::MAX_RECORD_BYTES`] is passed over by the same search, so a wrong length never costs more than a record.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::http::{media_type, parse_response};
use super::{RecordKind, WarcProblem, WarcRecord};
use crate::compression::{ByteStream, Gap};

const RECORD_START: &[u8] = b"WARC/1.";
/// What follows every record.
const SEPARATOR: &[u8] = b"\r\n\r\n";
const MAX_HEADER_BYTES: usize = 64 << 10;
const READ_BYTES: usize = 64 << 10;

/// Iterates over the records of a `.warc` or `.warc.gz` file that hold pages.
///
/// An item is a page or a damaged record. An error of the disk is the last item.
// ANCHOR: warc_reader
pub struct WarcReader {
    file: PathBuf,
    source: ByteStream,
    /// Bytes of the stream that are read but not yet used: `window[start..]`.
    window: Vec<u8>,
    start: usize,
    /// Stream offset of `window[0]`.
    window_offset: u64,
    /// Set once `source` has no more bytes.
    at_end: bool,
}
// ANCHOR_END: warc_reader

/// One turn of the reader: a page, a record of another type, or a damaged one.
enum Step {
    Page(WarcRecord),
    Other,
    Damaged(u64, String),
    End,
}

impl WarcReader {
    /// Records above this size are reported and passed over; it also bounds the reader's memory.
    pub const MAX_RECORD_BYTES: usize = 16 << 20;

    /// Opens a WARC file; whether it is compressed is seen from its first bytes, not from its name.
    ///
    /// # Errors
    /// When the file cannot be opened or read.
    pub fn open(path: &Path) -> io::Result<WarcReader> {
        let source = ByteStream::open(path)?;
        Ok(WarcReader { file: path.to_owned(), source, window: Vec::new(), start: 0, window_offset: 0, at_end: false })
    }

    fn offset(&self) -> u64 {
        self.window_offset + self.start as u64
    }

    fn unread(&self) -> &[u8] {
        &self.window[self.start..]
    }

    /// Reads until `n_bytes` are unread or the stream ends; returns whether they are there.
    fn fill(&mut self, n_bytes: usize) -> io::Result<bool> {
        while self.unread().len() < n_bytes && !self.at_end {
            if self.start > 0 {
                self.window.drain(..self.start);
                self.window_offset += self.start as u64;
                self.start = 0;
            }
            let n_before = self.window.len();
            self.window.resize(n_before + READ_BYTES, 0);
            let n_read = read_some(&mut self.source, &mut self.window[n_before..]);
            self.window.truncate(n_before + *n_read.as_ref().unwrap_or(&0));
            self.at_end = n_read? == 0;
        }
        Ok(self.unread().len() >= n_bytes)
    }

    fn skip_line_ends(&mut self) -> io::Result<()> {
        while self.fill(1)? && matches!(self.unread()[0], b'\r' | b'\n') {
            self.start += 1;
        }
        Ok(())
    }

    /// Moves to the next line that begins with `WARC/1.`, or to the end.
    fn resynchronise(&mut self) -> io::Result<()> {
        loop {
            let found = self
                .unread()
                .windows(RECORD_START.len() + 1)
                .position(|window| window[0] == b'\n' && &window[1..] == RECORD_START);
            if let Some(at) = found {
                self.start += at + 1;
                return Ok(());
            }
            // Keep what may be the beginning of a match.
            let n_kept = self.unread().len().min(RECORD_START.len());
            self.start = self.window.len() - n_kept;
            if !self.fill(n_kept + 1)? {
                self.start = self.window.len();
                return Ok(());
            }
        }
    }

    fn step(&mut self) -> io::Result<Step> {
        self.skip_line_ends()?;
        let offset = self.offset();
        if let Some(gap) = self.take_gaps_before(offset) {
            return Ok(Step::Damaged(gap.offset, gap.reason));
        }
        if !self.fill(1)? {
            // What came last may be a member that gave nothing.
            let gap = self.take_gaps_before(u64::MAX);
            return Ok(gap.map_or(Step::End, |gap| Step::Damaged(gap.offset, gap.reason)));
        }
        match self.read_record(offset)? {
            Ok(step) => Ok(step),
            Err(reason) => {
                // Past the first byte, so that the search does not find this record again.
                self.start += 1;
                self.resynchronise()?;
                let gap = self.take_gaps_before(self.offset());
                Ok(Step::Damaged(offset, gap.map_or(reason, |gap| gap.reason)))
            }
        }
    }

    /// Reads the record at the window's start. The inner error says what is wrong with it; nothing is consumed then.
    fn read_record(&mut self, offset: u64) -> io::Result<Result<Step, String>> {
        let Some(header_bytes) = self.find_header_end()? else {
            return Ok(Err("this is not a WARC header, or the file ends inside it".to_owned()));
        };
        let header = String::from_utf8_lossy(&self.unread()[..header_bytes]).into_owned();
        let Some(length) = header_value(&header, "content-length") else {
            return Ok(Err("its header has no Content-Length".to_owned()));
        };
        let Ok(length) = length.parse::<u64>() else {
            return Ok(Err(format!("its Content-Length {length:?} is not a number")));
        };
        if length > Self::MAX_RECORD_BYTES as u64 {
            return Ok(Err(format!("its {length} bytes are above the limit of {}", Self::MAX_RECORD_BYTES)));
        }
        let record_bytes = header_bytes + length as usize;
        if !self.fill(record_bytes)? {
            let n_there = self.unread().len() - header_bytes;
            return Ok(Err(format!("truncated: {n_there} of its {length} bytes are there")));
        }
        if !self.is_followed_by_separator(record_bytes)? {
            return Ok(Err("its Content-Length does not lead to the next record".to_owned()));
        }
        let end = offset + (record_bytes + SEPARATOR.len()) as u64;
        if self.source.gaps.front().is_some_and(|gap| gap.spoils_what_it_ends && gap.offset <= end) {
            return Ok(Err("its checksum is wrong".to_owned()));
        }
        let block = &self.unread()[header_bytes..record_bytes];
        let record = page(&header, block, offset);
        self.start += record_bytes;
        // The framing is sound, so a page that cannot be decoded does not lose the way.
        Ok(Ok(record.unwrap_or_else(|reason| Step::Damaged(offset, reason))))
    }

    /// Length of the header with its empty line; `None` if no header begins here or it does not end.
    fn find_header_end(&mut self) -> io::Result<Option<usize>> {
        if !self.fill(RECORD_START.len())? || !self.unread().starts_with(RECORD_START) {
            return Ok(None);
        }
        let mut n_wanted = 1024;
        loop {
            let is_filled = self.fill(n_wanted)?;
            if let Some((header, _)) = split_header(self.unread()) {
                // The empty line itself is two bytes or one.
                let rest = &self.unread()[header.len()..];
                let n_end = if rest.starts_with(b"\r\n") { 2 } else { 1 };
                return Ok((header.len() <= MAX_HEADER_BYTES).then_some(header.len() + n_end));
            }
            if !is_filled || n_wanted > MAX_HEADER_BYTES {
                return Ok(None);
            }
            n_wanted *= 2;
        }
    }

    /// Whether two line ends follow after `n_bytes`, or nothing but line ends up to the end of the stream.
    fn is_followed_by_separator(&mut self, n_bytes: usize) -> io::Result<bool> {
        // More than that, so that a gzip member is read to its end and its checksum compared.
        self.fill(n_bytes + SEPARATOR.len() + RECORD_START.len())?;
        let rest = &self.unread()[n_bytes..];
        let is_end = self.at_end && rest.iter().all(|byte| matches!(byte, b'\r' | b'\n'));
        Ok(is_end || rest.starts_with(SEPARATOR) || rest.starts_with(b"\n\nWARC/"))
    }

    /// Removes the gaps that lie before `offset` and returns the first.
    fn take_gaps_before(&mut self, offset: u64) -> Option<Gap> {
        let n_before = self.source.gaps.iter().take_while(|gap| gap.offset < offset).count();
        self.source.gaps.drain(..n_before).next()
    }
}

impl Iterator for WarcReader {
    type Item = Result<WarcRecord, WarcProblem>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let problem = match self.step() {
                Ok(Step::Page(record)) => return Some(Ok(record)),
                Ok(Step::Other) => continue,
                Ok(Step::End) => return None,
                Ok(Step::Damaged(offset, reason)) => (offset, reason),
                Err(error) => {
                    let offset = self.offset();
                    self.window.clear();
                    self.source.gaps.clear();
                    self.start = 0;
                    self.at_end = true;
                    (offset, format!("cannot read on: {error}"))
                }
            };
            let (offset, reason) = problem;
            return Some(Err(WarcProblem { file: self.file.clone(), offset, reason }));
        }
    }
}

fn read_some(source: &mut ByteStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Turns a sound record into a page, if its type holds one.
fn page(header: &str, block: &[u8], offset: u64) -> Result<Step, String> {
    let kind = match header_value(header, "warc-type") {
        Some("response") => RecordKind::Response,
        Some("resource") => RecordKind::Resource,
        Some("conversion") => RecordKind::Conversion,
        _ => return Ok(Step::Other),
    };
    let field = |name| header_value(header, name).unwrap_or_default().to_owned();
    let mut record = WarcRecord {
        kind,
        id: trim_brackets(&field("warc-record-id")).to_owned(),
        // Some writers (wget before 1.20) put the address in angle brackets.
        url: trim_brackets(&field("warc-target-uri")).to_owned(),
        date: field("warc-date"),
        http_status: None,
        content_type: media_type(&field("content-type")),
        text: String::new(),
        offset,
    };
    if kind == RecordKind::Response {
        let response = parse_response(block, WarcReader::MAX_RECORD_BYTES)?;
        record.http_status = response.status;
        record.content_type = response.content_type;
        record.text = lossy(&response.body);
    } else {
        record.text = lossy(block);
    }
    Ok(Step::Page(record))
}

fn trim_brackets(value: &str) -> &str {
    value.strip_prefix('<').and_then(|value| value.strip_suffix('>')).unwrap_or(value)
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Splits at the first empty line: the header with its last line end, and what follows the empty line.
pub(super) fn split_header(block: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut line_start = 0;
    for (at, _) in block.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
        if matches!(&block[line_start..at], b"" | b"\r") {
            return Some((&block[..line_start], &block[at + 1..]));
        }
        line_start = at + 1;
    }
    None
}

/// The value of a `Name: value` line; names are compared without case.
pub(super) fn header_value<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    header.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
