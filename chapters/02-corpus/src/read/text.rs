//! Reads plain text and Markdown as UTF-8, large files in pieces.
//!
//! A file up to [`PIECE_BYTES`] is one document. A larger one (a whole library in one `.txt`) is cut at the first empty
//! line after that size, so that it is never in memory twice and filters can judge its parts.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::{Record, Skipped, file_url};
use crate::Document;
use crate::compression::ByteStream;

/// Pieces are at least this large, except the last.
const PIECE_BYTES: usize = 1 << 20;
/// A piece without an empty line is cut here.
const MAX_PIECE_BYTES: usize = 2 << 20;
/// Above this share of characters that are not UTF-8, a file is in another encoding or no text.
const MAX_REPLACED_SHARE: f64 = 0.01;

/// The pieces of a text file as records, and those that are no text.
pub(super) struct Pieces {
    input: BufReader<ByteStream>,
    file: PathBuf,
    id: String,
    /// Pieces so far.
    number: u64,
    /// Where the next piece begins.
    offset: u64,
    /// The beginning of the next piece: bytes of a character that a cut divided.
    rest: Vec<u8>,
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
            rest: Vec::new(),
            is_at_end: false,
        }
    }

    fn read_piece(&mut self) -> io::Result<Option<Result<Record, Skipped>>> {
        let piece = next_piece(&mut self.input, std::mem::take(&mut self.rest))?;
        let (piece, cut_off) = piece.split_at(whole_chars(&piece));
        self.rest = cut_off.to_vec();
        if piece.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        let offset = self.offset;
        self.offset += piece.len() as u64;
        let is_whole = self.number == 1 && self.input.fill_buf()?.is_empty();
        let record = decode(piece).and_then(|text| match text.trim().is_empty() {
            true => Err("no text in it".to_owned()),
            false => Ok(text),
        });
        Ok(Some(match record {
            Err(reason) => Err(Skipped::new(&self.file, offset, reason)),
            Ok(text) => {
                let id = if is_whole { self.id.clone() } else { format!("{}#{}", self.id, self.number) };
                let document = Document::new(id, file_url(&self.file), text);
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

/// Reads lines after `piece` up to an empty line past [`PIECE_BYTES`], or to [`MAX_PIECE_BYTES`], or to the end.
fn next_piece(input: &mut impl BufRead, mut piece: Vec<u8>) -> io::Result<Vec<u8>> {
    while piece.len() < MAX_PIECE_BYTES {
        let n_before = piece.len();
        let n_allowed = (MAX_PIECE_BYTES - n_before) as u64;
        let n_read = input.by_ref().take(n_allowed).read_until(b'\n', &mut piece)?;
        let is_blank = piece[n_before..].iter().all(u8::is_ascii_whitespace);
        if n_read == 0 || is_blank && piece.len() > PIECE_BYTES {
            break;
        }
    }
    Ok(piece)
}

/// How many bytes remain when a character that the cut divides is left to the next piece.
fn whole_chars(piece: &[u8]) -> usize {
    if piece.len() < MAX_PIECE_BYTES {
        return piece.len();
    }
    // A character has at most four bytes, so only the last three can begin one that is not whole.
    let from = piece.len() - 3;
    (from..piece.len())
        .find(|&at| match std::str::from_utf8(&piece[at..]) {
            Err(error) => error.valid_up_to() == 0 && error.error_len().is_none(),
            Ok(_) => false,
        })
        .unwrap_or(piece.len())
}

/// The text of a piece, if it is text; a byte order mark is removed, and a few bad bytes become U+FFFD.
fn decode(piece: &[u8]) -> Result<String, String> {
    if piece.contains(&0) {
        return Err("it holds zero bytes: not UTF-8 text; convert UTF-16 files first".to_owned());
    }
    let text = String::from_utf8_lossy(piece.strip_prefix(b"\xef\xbb\xbf").unwrap_or(piece));
    if let std::borrow::Cow::Owned(text) = &text {
        let n_chars = text.chars().count();
        let n_replaced = text.matches(char::REPLACEMENT_CHARACTER).count();
        if n_replaced as f64 > MAX_REPLACED_SHARE * n_chars as f64 {
            return Err(format!("not UTF-8: {n_replaced} of {n_chars} characters cannot be read; convert it first"));
        }
    }
    Ok(text.into_owned())
}
