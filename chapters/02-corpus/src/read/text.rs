//! Reads plain text and Markdown in any encoding, large files in pieces.
//!
//! A file up to [`PIECE_BYTES`] is one document. A larger one (a whole library in one `.txt`) is cut at the first empty
//! line after that size, so that it is never in memory twice and filters can judge its parts.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use encoding_rs::{Decoder, Encoding, UTF_8};

use super::records::note_charset;
use super::{Record, Skipped, file_url};
use crate::Document;
use crate::charset;
use crate::compression::ByteStream;

/// Pieces are at least this large, except the last.
const PIECE_BYTES: usize = 1 << 20;
/// A piece without an empty line is cut here.
const MAX_PIECE_BYTES: usize = 2 << 20;
/// Above this share of characters that are malformed, or control characters, a file is no text.
const MAX_BAD_SHARE: f64 = 0.01;

/// The pieces of a text file as records, and those that are no text.
pub(super) struct Pieces {
    input: BufReader<ByteStream>,
    file: PathBuf,
    id: String,
    /// Pieces so far.
    number: u64,
    /// Where the next piece begins.
    offset: u64,
    /// Chosen at the first piece that is not all ASCII. A character that a cut divides waits in it for the next piece.
    decoder: Option<Decoder>,
    is_at_end: bool,
}

impl Pieces {
    pub fn new(input: BufReader<ByteStream>, file: &Path, id: &str) -> Pieces {
        Pieces {
            input,
            file: file.to_owned(),
            id: id.to_owned(),
            number: 0,
            offset: 0,
            decoder: None,
            is_at_end: false,
        }
    }

    fn read_piece(&mut self) -> io::Result<Option<Result<Record, Skipped>>> {
        let piece = next_piece(&mut self.input)?;
        if piece.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        let offset = self.offset;
        self.offset += piece.len() as u64;
        let is_last = self.input.fill_buf()?.is_empty();
        let is_whole = self.number == 1 && is_last;
        Ok(Some(match self.decode(&piece, is_last) {
            Err(reason) => Err(Skipped::new(&self.file, offset, reason)),
            Ok(text) => {
                let id = if is_whole { self.id.clone() } else { format!("{}#{}", self.id, self.number) };
                let mut document = Document::new(id, file_url(&self.file), text);
                note_charset(&mut document, self.decoder.as_ref().map_or("UTF-8", |decoder| decoder.encoding().name()));
                Ok(Record { document, is_html: false, file: self.file.clone(), offset })
            }
        }))
    }
}

impl Iterator for Pieces {
    type Item = Result<Record, Skipped>;

    fn next(&mut self) -> Option<Self::Item> {
        // What came before damage is text still; the damage itself is reported when its place is reached.
        if let Some(gap) = self.input.get_mut().take_gap_before(self.offset.saturating_add(u64::from(self.is_at_end))) {
            return Some(Err(Skipped::new(&self.file, gap.offset, gap.reason)));
        }
        if self.is_at_end {
            return None;
        }
        match self.read_piece() {
            Ok(Some(record)) => Some(record),
            Ok(None) => {
                self.is_at_end = true;
                self.next()
            }
            Err(error) => {
                self.is_at_end = true;
                Some(Err(Skipped::new(&self.file, self.offset, format!("cannot read on: {error}"))))
            }
        }
    }
}

/// Reads lines up to an empty one past [`PIECE_BYTES`], or to [`MAX_PIECE_BYTES`], or to the end.
fn next_piece(input: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut piece = Vec::new();
    while piece.len() < MAX_PIECE_BYTES {
        let n_before = piece.len();
        let n_allowed = (MAX_PIECE_BYTES - n_before) as u64;
        let n_read = input.by_ref().take(n_allowed).read_until(b'\n', &mut piece)?;
        // In UTF-16 a line end has a zero byte beside it.
        let is_blank = piece[n_before..].iter().all(|byte| byte.is_ascii_whitespace() || *byte == 0);
        if n_read == 0 || is_blank && piece.len() > PIECE_BYTES {
            break;
        }
    }
    Ok(piece)
}

impl Pieces {
    /// The text of a piece, if it is text; a few bad bytes become U+FFFD.
    fn decode(&mut self, piece: &[u8], is_last: bool) -> Result<String, String> {
        if self.decoder.is_none() && (self.number == 1 || !piece.is_ascii()) {
            let encoding = charset::choose(piece, &[], "");
            // Until there is more than ASCII, nothing is known.
            let is_undecided = encoding == UTF_8 && piece.is_ascii();
            self.decoder = (!is_undecided).then(|| encoding.new_decoder_with_bom_removal());
        }
        let Some(decoder) = &mut self.decoder else {
            return judge(String::from_utf8_lossy(piece).into_owned(), UTF_8);
        };
        let mut text = String::with_capacity(decoder.max_utf8_buffer_length(piece.len()).unwrap_or(0));
        let _ = decoder.decode_to_string(piece, &mut text, is_last);
        judge(text, decoder.encoding())
    }
}

/// Refuses what is no text.
fn judge(text: String, encoding: &'static Encoding) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("no text in it".to_owned());
    }
    if text.contains('\0') {
        return Err("not text: it holds zero bytes".to_owned());
    }
    let n_chars = text.chars().count();
    let n_bad = charset::n_malformed(&text);
    // One is the character at which a cut file ends.
    if n_bad > 1 && n_bad as f64 > MAX_BAD_SHARE * n_chars as f64 {
        let name = encoding.name();
        return Err(format!(
            "not text: {n_bad} of {n_chars} characters cannot be read as {name}, the likeliest encoding"
        ));
    }
    let n_control = text.bytes().filter(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace()).count();
    if n_control as f64 > MAX_BAD_SHARE * n_chars as f64 {
        return Err(format!("not text: {n_control} of its {n_chars} characters are control characters"));
    }
    Ok(text)
}
