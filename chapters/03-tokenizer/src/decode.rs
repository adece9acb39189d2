//! Ids to text: the tokens' bytes, joined, read as UTF-8; and the same one id at a time, for streaming.
//!
//! A token may end in the middle of a character (`é` is two bytes, an emoji four), so text can only be cut where a
//! character ends. [`DecodeStream`] holds back an unfinished character until the next id completes it.
//!
//! Ids that a model produced need not be valid UTF-8: each broken sequence becomes U+FFFD `�`, as in Rust's
//! `String::from_utf8_lossy`. An id that is not in the vocabulary also becomes `�`: it is shown, not dropped.

use crate::Tokenizer;

const REPLACEMENT: &str = "\u{FFFD}";

// ANCHOR: decode
impl Tokenizer {
    /// The text of `ids`; special tokens are skipped.
    pub fn decode(&self, ids: &[u32]) -> String {
        self.text_of(ids.iter().copied().filter(|&id| !self.is_special(id)))
    }

    /// The text of `ids`, special tokens written out.
    pub fn decode_with_special(&self, ids: &[u32]) -> String {
        self.text_of(ids.iter().copied())
    }

    fn text_of(&self, ids: impl Iterator<Item = u32>) -> String {
        let mut bytes = Vec::new();
        ids.for_each(|id| bytes.extend_from_slice(self.bytes_or_replacement(id)));
        String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}
// ANCHOR_END: decode

impl Tokenizer {
    /// Starts decoding a stream of ids; special tokens are skipped.
    pub fn decode_stream(&self) -> DecodeStream<'_> {
        DecodeStream { tokenizer: self, pending: Vec::new() }
    }

    fn bytes_or_replacement(&self, id: u32) -> &[u8] {
        self.token_bytes(id).unwrap_or(REPLACEMENT.as_bytes())
    }
}

// ANCHOR: decode_stream
/// Decodes ids as they come. The pieces, with what [`finish`](Self::finish) returns, join to what
/// [`Tokenizer::decode`] gives.
#[derive(Debug, Clone)]
pub struct DecodeStream<'t> {
    tokenizer: &'t Tokenizer,
    /// The first bytes of a character whose last bytes have not come yet: three at most between calls.
    pending: Vec<u8>,
}

impl DecodeStream<'_> {
    /// The text that `id` completes, if it completes any.
    pub fn push(&mut self, id: u32) -> Option<String> {
        if self.tokenizer.is_special(id) {
            return None;
        }
        self.pending.extend_from_slice(self.tokenizer.bytes_or_replacement(id));
        let unfinished = n_unfinished_bytes(&self.pending);
        let complete = self.pending.len() - unfinished;
        let text = String::from_utf8_lossy(&self.pending[..complete]).into_owned();
        self.pending.drain(..complete);
        (!text.is_empty()).then_some(text)
    }

    /// What is left at the end: `�` if the last character was never completed.
    pub fn finish(self) -> Option<String> {
        (!self.pending.is_empty()).then(|| String::from_utf8_lossy(&self.pending).into_owned())
    }
}

/// How many bytes at the end begin a character that more bytes could complete.
fn n_unfinished_bytes(bytes: &[u8]) -> usize {
    let last_chunk = bytes.utf8_chunks().last();
    let tail = last_chunk.map_or(&[][..], |chunk| chunk.invalid());
    // `error_len` is `None` exactly when the input ended too early, as opposed to being wrong.
    match std::str::from_utf8(tail) {
        Err(error) if error.error_len().is_none() => tail.len(),
        _ => 0,
    }
}
// ANCHOR_END: decode_stream
