//! The first symbols of a SentencePiece table: characters, and bytes for characters that the table lacks.
//!
//! Problem: GPT-2's first symbols are the 256 bytes, so that everything can be spelled. SentencePiece starts from the characters of its training text.
//! One that was never there (an emoji, a rare Chinese character) would be `<unk>`, and lost. With *byte fallback* the table has 256 more tokens,
//! `<0x00>` to `<0xFF>`, and such a character becomes the tokens of its UTF-8 bytes.
//!
//! A byte's token and a character's are two: `A` is `A`, never `<0x41>`, though both decode to `A`. So byte tokens lie in
//! a table of their own. Without one for each byte of a character it is the unknown token, as often as there are such characters,
//! or once a run (`fuse_unk`). Text with `▁` is the matter of `spaces`.
//!
//! Source: `tokenizers` 0.23, `src/models/bpe/model.rs`, `merge_word`.

use crate::{
    Tokenizer,
    added::AddedToken,
    pipeline::{Pipeline, Symbols},
    spaces::{SPACE_MARK, Spaces},
};

/// How a table of characters meets what it lacks, and spaces.
#[derive(Debug, Clone)]
pub(crate) struct Characters {
    pub(crate) spaces: Spaces,
    /// Whether the file asks for bytes; without it they are unknown.
    pub(crate) byte_fallback: bool,
    /// Whether neighbouring unknown characters are one unknown token.
    pub(crate) fuse_unknown: bool,
}

// ANCHOR: first_characters
impl Tokenizer {
    /// Appends the first symbols of `word`.
    pub(crate) fn append_characters(&self, characters: &Characters, word: &str, symbols: &mut Vec<u32>) {
        // An unknown token waits for the next known character, as in `tokenizers`: bytes overtake it.
        let mut waiting = None;
        for (at, c) in word.char_indices() {
            let bytes = &word.as_bytes()[at..at + c.len_utf8()];
            if let Some(id) = self.id_of_bytes(bytes) {
                symbols.extend(waiting.take());
                symbols.push(id);
            } else if bytes.iter().all(|&byte| self.id_of_byte(byte).is_some()) {
                symbols.extend(bytes.iter().filter_map(|&byte| self.id_of_byte(byte)));
            } else if let Some(unknown) = self.pipeline().unknown {
                let before = waiting.replace(unknown);
                symbols.extend(before.filter(|_| !characters.fuse_unknown));
            }
        }
        symbols.extend(waiting);
    }
}
// ANCHOR_END: first_characters

/// A token's bytes as a file writes it: with `▁` for a space.
pub(crate) fn with_marks(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace(' ', SPACE_MARK)
}

/// The text of a byte's token.
pub(crate) fn byte_token(byte: u8) -> String {
    format!("<0x{byte:02X}>")
}

/// The byte whose token this text is.
pub(crate) fn byte_of_token(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    let byte = u8::from_str_radix(digits, 16).ok()?;
    (byte_token(byte) == text).then_some(byte)
}

impl Pipeline {
    /// The bytes that an added token is decoded to. One that was found in normalised text is decoded to what was found there.
    pub(crate) fn bytes_of_added(&self, token: &AddedToken) -> Vec<u8> {
        match &self.symbols {
            Symbols::Bytes => token.content.clone().into_bytes(),
            Symbols::Characters(_) if token.normalized => self.normalized(&token.content).into_owned().into_bytes(),
            Symbols::Characters(_) => token.content.replace(SPACE_MARK, " ").into_bytes(),
        }
    }
}

impl Symbols {
    /// The bytes that a token of a file stands for, and the byte if it is a byte's token.
    ///
    /// # Errors
    /// What cannot be read, in words.
    pub(crate) fn read_token(&self, text: &str) -> Result<(Vec<u8>, Option<u8>), String> {
        match self {
            Self::Bytes => {
                let bytes = crate::bytes_to_unicode::from_visible(text);
                bytes
                    .map(|bytes| (bytes, None))
                    .map_err(|c| format!("token {text:?} has {c:?}, which stands for no byte"))
            }
            Self::Characters(_) if text.contains(' ') => {
                Err(format!("token {text:?} has a space, for which a table of this kind writes {SPACE_MARK}"))
            }
            Self::Characters(characters) => match byte_of_token(text).filter(|_| characters.byte_fallback) {
                Some(byte) => Ok((vec![byte], Some(byte))),
                None => Ok((text.replace(SPACE_MARK, " ").into_bytes(), None)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bytes_token_is_read_as_it_is_written_and_nothing_else_is() {
        for byte in 0..=255 {
            assert_eq!(byte_of_token(&byte_token(byte)), Some(byte));
        }
        for text in ["<0x0a>", "<0x+A>", "<0xA>", "<0x00A>", "<0x>", "0x0A", "<s>", ""] {
            assert_eq!(byte_of_token(text), None, "{text}");
        }
    }
}
