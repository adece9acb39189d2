//! Exercise 03.6: the first symbols of a text, with byte fallback.
//!
//! A SentencePiece table (Llama 2, Mistral) starts from characters, not from bytes. What merging begins with is,
//! for each character of `text`:
//!
//! - a space is written `▁`;
//! - a character that `vocab` has is that token;
//! - of any other, the bytes of its UTF-8 are the tokens `<0x00>` to `<0xFF>`, with two hexadecimal digits in capitals;
//! - if `vocab` lacks one of these, the whole character is `<unk>`, and neighbouring characters that are
//!   `<unk>` are one `<unk>` together.
//!
//! Write [`first_symbols`], which gives the ids. `vocab` has `▁` and `<unk>`.
//! Example: with `é` in the vocabulary, `aé` is `[a, é]`; without it, `[a, <0xC3>, <0xA9>]`.
//!
//! Book: `book/src/03-tokenizer.md`, "The other family". Source: `tokenizers`, `src/models/bpe/model.rs`.

use std::collections::HashMap;

/// The ids that merging `text` begins with.
pub fn first_symbols(text: &str, vocab: &HashMap<String, u32>) -> Vec<u32> {
    todo!("the characters of {text:?} in a table of {} tokens", vocab.len())
}
