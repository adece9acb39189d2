//! Ids to text: the tokens' bytes, joined, read as UTF-8; and the same one id at a time, for streaming.
//!
//! A token may end in the middle of a character (`é` is two bytes, an emoji four), so text can only be cut where a
//! character ends. [`DecodeStream`] holds back an unfinished character until the next id completes it.
//!
//! A table of characters puts a space in front of a text, and decoding takes it away again where the text begins (`spaces`).
//!
//! Ids that a model produced need not be valid UTF-8: each broken sequence becomes U+FFFD `�`, as in Rust's
//! `String::from_utf8_lossy`. An id that is not in the vocabulary also becomes `�`: it is shown, not dropped.

use crate::{Tokenizer, pipeline::Symbols};

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
        if self.strips_first_space() && bytes.first() == Some(&b' ') {
            bytes.remove(0);
        }
        String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}
// ANCHOR_END: decode

impl Tokenizer {
    /// Starts decoding a stream of ids; special tokens are skipped.
    pub fn decode_stream(&self) -> DecodeStream<'_> {
        DecodeStream { strips_first_space: self.strips_first_space(), ..self.decode_continuation() }
    }

    /// Starts decoding ids that continue a text, such as a prompt: if the first begins with a space, the space is part of the text.
    pub fn decode_continuation(&self) -> DecodeStream<'_> {
        DecodeStream { tokenizer: self, strips_first_space: false, pending: Vec::new() }
    }

    /// The text of one token as it stands inside a text: with its space, and with `�` for bytes that are no character.
    pub fn text_inside(&self, id: u32) -> String {
        String::from_utf8_lossy(self.bytes_or_replacement(id)).into_owned()
    }

    /// Whether the first space of a text was put there by the encoder.
    fn strips_first_space(&self) -> bool {
        match &self.pipeline().symbols {
            Symbols::Bytes => false,
            Symbols::Characters(characters) => characters.spaces.strip_first,
        }
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
    /// Whether a space that comes now is the encoder's.
    strips_first_space: bool,
    /// The first bytes of a character whose last bytes have not come yet: three at most between calls.
    pending: Vec<u8>,
}

impl DecodeStream<'_> {
    /// The text that `id` completes, if it completes any.
    pub fn push(&mut self, id: u32) -> Option<String> {
        if self.tokenizer.is_special(id) {
            return None;
        }
        let bytes = self.tokenizer.bytes_or_replacement(id);
        let n_stripped = usize::from(std::mem::take(&mut self.strips_first_space) && bytes.starts_with(b" "));
        self.pending.extend_from_slice(&bytes[n_stripped..]);
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
