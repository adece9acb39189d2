//! Files of vocabularies, of any make.
//!
//! What loads must work: text comes back (where the table has all its bytes), and what is saved is the same tokenizer.

use std::path::Path;

use tokenizer::{PreTokenizer, Tokenizer};

use crate::with_file;

/// A `tokenizer.json`.
pub fn tokenizer_json(bytes: &[u8]) {
    if let Ok(tokenizer) = with_file("tokenizer.json", bytes, |path| Tokenizer::load(path)) {
        hold(&tokenizer);
    }
}

/// The head of a GGUF file.
pub fn gguf(bytes: &[u8]) {
    if let Ok(tokenizer) = Tokenizer::read_gguf(bytes, bytes.len() as u64, Path::new("x.gguf")) {
        hold(&tokenizer);
    }
}

/// A file of ranks. The fuzzer's bytes stand behind lines for the 256 bytes, or no file would have them all.
pub fn tiktoken(bytes: &[u8]) {
    let load = |bytes: &[u8]| {
        with_file("x.tiktoken", bytes, |path| {
            Tokenizer::load_tiktoken(path, PreTokenizer::default(), &[("<end>", 300)])
        })
    };
    let _ = load(bytes);
    let whole = [single_bytes().as_bytes(), bytes].concat();
    if let Ok(tokenizer) = load(&whole) {
        hold(&tokenizer);
    }
}

const TEXTS: [&str; 4] = ["the lamp, the lamps", "naïve 東京 🦀\r\n\t x=1;", "<end><|im_start|>", "aaaaaaaaaaaa\n\n  "];

fn hold(tokenizer: &Tokenizer) {
    let saved = with_file("tokenizer.json", b"", |path| {
        tokenizer.save(path).unwrap();
        Tokenizer::load(path)
    });
    let saved = saved.unwrap_or_else(|error| panic!("what was saved is not read: {error}"));
    for text in TEXTS {
        let ids = tokenizer.encode(text);
        assert!(ids.iter().all(|&id| tokenizer.token_bytes(id).is_some()), "{ids:?}");
        assert_eq!(saved.encode(text), ids, "{text:?} after saving");
        let with_special = tokenizer.encode_with_special(text);
        assert_eq!(saved.encode_with_special(text), with_special, "{text:?} after saving");
        if tokenizer.missing_bytes().is_empty() {
            assert_eq!(tokenizer.decode_with_special(&ids), text);
        }
    }
}

fn single_bytes() -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    (0..=255_u8).map(|byte| format!("{} {byte}\n", STANDARD.encode([byte]))).collect()
}
