//! Special tokens: ids that no text can spell, which mark where documents and turns end.
//!
//! Problem: a model must see the difference between the end of a document and a document *about* that mark. So these
//! tokens are outside the merges: [`Tokenizer::encode`] never produces them, whatever the text says, and only
//! [`Tokenizer::encode_with_special`], meant for templates that the program wrote itself, does.
//!
//! Where two special tokens match at one place, the longest wins, as in the `tokenizers` crate.

use crate::{Tokenizer, added::Recognise, spaces::Position};

// ANCHOR: special_tokens
/// Ends every document of the pretraining stream.
pub const END_OF_TEXT: &str = "<|endoftext|>";
/// Opens what the user says.
pub const USER: &str = "<|user|>";
/// Opens what the model says.
pub const ASSISTANT: &str = "<|assistant|>";
/// Closes a turn.
pub const END: &str = "<|end|>";

/// This book's special tokens; their ids are their places in this list.
pub const SPECIAL_TOKENS: [&str; 4] = [END_OF_TEXT, USER, ASSISTANT, END];
// ANCHOR_END: special_tokens

// ANCHOR: encode_with_special
impl Tokenizer {
    /// The ids of `text`, in which the text of a special token becomes its id. For templates, never for user text.
    pub fn encode_with_special(&self, text: &str) -> Vec<u32> {
        self.encode_recognising(text, Recognise::All, Position::Start)
    }

    /// Whether `id` is a special token.
    pub fn is_special(&self, id: u32) -> bool {
        self.added().is_special(id)
    }

    /// The special tokens with their ids, ordered by id.
    pub fn special_tokens(&self) -> Vec<(&str, u32)> {
        let special = self.added().all().iter().filter(|token| token.special);
        special.map(|token| (token.content.as_str(), token.id)).collect()
    }
}
// ANCHOR_END: encode_with_special
