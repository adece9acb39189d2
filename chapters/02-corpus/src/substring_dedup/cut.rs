//! What is left when passages go, so that it can be read: whole words, whole blocks of code, lines that do not run together.

use std::ops::Range;

use super::SubstringConfig;
use crate::document::Document;
use crate::fences;
use crate::words::JoinedWords;

/// A longer run of letters is no word: some scripts have no spaces.
const MAX_WORD_BYTES: usize = 64;

// ANCHOR: readable
/// The parts of `passages` that may go: of at least `min_bytes` outside blocks of code that they cover in part, without the
/// words that they cover in part. The passages may begin and end inside a character.
pub(super) fn readable(text: &str, passages: Vec<Range<usize>>, min_bytes: usize) -> Vec<Range<usize>> {
    if passages.is_empty() {
        return passages;
    }
    let blocks = fences::blocks(text);
    let pieces = passages.into_iter().flat_map(|passage| outside_cut_blocks(passage, &blocks));
    let pieces = pieces.filter(|piece| piece.len() >= min_bytes);
    pieces.map(|piece| whole_words(text, piece)).filter(|piece| !piece.is_empty()).collect()
}

fn outside_cut_blocks(passage: Range<usize>, blocks: &[Range<usize>]) -> Vec<Range<usize>> {
    let first = blocks.partition_point(|block| block.end <= passage.start);
    let mut pieces = Vec::new();
    let mut start = passage.start;
    for block in blocks[first..].iter().take_while(|block| block.start < passage.end) {
        if block.start < passage.start || block.end > passage.end {
            pieces.push(start..block.start.max(start));
            start = block.end;
        }
    }
    pieces.push(start..passage.end.max(start));
    pieces
}

/// The range without the words, and the characters, of which it holds a part only.
fn whole_words(text: &str, range: Range<usize>) -> Range<usize> {
    let start = text.ceil_char_boundary(range.start);
    let end = text.floor_char_boundary(range.end).max(start);
    let is_in_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let cut_at_start = is_in_word(text[..start].chars().next_back());
    let cut_at_end = is_in_word(text[end..].chars().next());
    let inside = &text[start..end];
    let word_bytes = |rest: &str| Some(inside.len() - rest.len()).filter(|&n| n <= MAX_WORD_BYTES).unwrap_or(0);
    let n_first = if cut_at_start { word_bytes(inside.trim_start_matches(char::is_alphanumeric)) } else { 0 };
    let n_last = if cut_at_end { word_bytes(inside.trim_end_matches(char::is_alphanumeric)) } else { 0 };
    start + n_first..(end - n_last).max(start + n_first)
}
// ANCHOR_END: readable

// ANCHOR: remove
/// Removes passages (in rising order); false if too little is left and the document must go. A removal that would make code
/// of prose, or prose of code, is not made.
pub fn remove(document: &mut Document, passages: &[Range<usize>], config: &SubstringConfig) -> bool {
    let text = without(&document.text, passages);
    let is_kept = |block: &Range<usize>| !passages.iter().any(|p| p.start <= block.start && block.end <= p.end);
    let kept = fences::blocks(&document.text).into_iter().filter(is_kept).map(|block| &document.text[block]);
    if passages.is_empty() || !kept.eq(fences::blocks(&text).into_iter().map(|block| &text[block])) {
        return true;
    }
    let is_enough = JoinedWords::new(&text).len() >= config.min_document_words.max(1);
    document.text = text;
    is_enough
}
// ANCHOR_END: remove

/// The text between the passages. Two lines that meet stay two, and two words; two empty lines become one.
fn without(text: &str, passages: &[Range<usize>]) -> String {
    let mut left = String::with_capacity(text.len());
    let mut at = 0;
    for passage in passages {
        left.push_str(text.get(at..passage.start).unwrap_or(""));
        let (removed, rest) = (&text[passage.clone()], &text[passage.end..]);
        let n_before = left.len() - left.trim_end_matches('\n').len();
        let n_behind = rest.len() - rest.trim_start_matches('\n').len();
        if removed.contains('\n') && !left.is_empty() && n_before + n_behind == 0 {
            left.push('\n');
        } else if left.ends_with(char::is_alphanumeric) && rest.starts_with(char::is_alphanumeric) {
            left.push(' ');
        }
        let n_breaks = if left.is_empty() { 0 } else { 2 };
        at = passage.end + n_behind.min((n_before + n_behind).saturating_sub(n_breaks));
    }
    left.push_str(&text[at..]);
    left.truncate(left.trim_end().len());
    left
}
