//! Reads plain text and Markdown as UTF-8, large files in pieces.
//!
//! A file up to [`PIECE_BYTES`] is one document. A larger one (a whole library in one `.txt`) is cut at the first empty
//! line after that size, so that it is never in memory twice and filters can judge its parts.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use super::{Reading, file_url};
use crate::Document;

/// Pieces are at least this large, except the last.
const PIECE_BYTES: usize = 1 << 20;
/// A piece without an empty line is cut here.
const MAX_PIECE_BYTES: usize = 2 << 20;
/// Above this share of characters that are not UTF-8, a file is in another encoding or no text.
const MAX_REPLACED_SHARE: f64 = 0.01;

/// Appends the documents of a text file, and counts pieces that are no text.
pub(super) fn read_text(file: &Path, id: &str, reading: &mut Reading) -> io::Result<()> {
    let mut input = BufReader::new(File::open(file)?);
    let is_whole = input.get_ref().metadata()?.len() <= PIECE_BYTES as u64;
    let mut offset = 0;
    let mut rest = Vec::new();
    for number in 1.. {
        let piece = next_piece(&mut input, std::mem::take(&mut rest))?;
        let (piece, cut_off) = piece.split_at(whole_chars(&piece));
        rest = cut_off.to_vec();
        if piece.is_empty() {
            return Ok(());
        }
        match decode(piece) {
            Err(reason) => reading.skipped.add(file, offset, reason),
            Ok(text) if text.trim().is_empty() => reading.skipped.add(file, offset, "no text in it"),
            Ok(text) => {
                let id = if is_whole { id.to_owned() } else { format!("{id}#{number}") };
                reading.documents.push(Document::new(id, file_url(file), text));
            }
        }
        offset += piece.len() as u64;
    }
    Ok(())
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
