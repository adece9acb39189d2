//! Files of vocabularies, of any make.
//!
//! What loads must work: text comes back (where the table has all its bytes), and what is saved is the same tokenizer, but for the order of
//! equals.

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
    let (saved, file) = saved(tokenizer);
    assert_eq!(saved.merges(), tokenizer.merges());
    // Of equal ranks the leftmost goes first, but what is saved is a list, where one pair stands before the other: `th` + `e` and `t` + `he` are
    // equally good where `th` and `he` have one score. A list has no equals, so from there on the ids must stay.
    let must_agree = !tokenizer.has_ties();
    let (saved_again, _) = self::saved(&saved);
    assert!(!saved.has_ties(), "a list of merges has equals");
    for text in TEXTS {
        let ids = tokenizer.encode(text);
        assert!(ids.iter().all(|&id| tokenizer.token_bytes(id).is_some()), "{ids:?}");
        let (ids_saved, with_special) = (saved.encode(text), saved.encode_with_special(text));
        if must_agree {
            assert_eq!(ids_saved, ids, "{text:?} after saving");
            assert_eq!(with_special, tokenizer.encode_with_special(text), "{text:?} after saving");
        }
        assert_eq!(saved_again.encode(text), ids_saved, "{text:?} after saving twice");
        assert_eq!(saved_again.encode_with_special(text), with_special, "{text:?} after saving twice");
        if tokenizer.missing_bytes().is_empty() {
            // Behind an added token a table over characters begins anew, with a space in front, as Llama's does.
            let has_added = |text: &str| {
                file["added_tokens"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|token| text.contains(token["content"].as_str().unwrap()))
            };
            let begins_anew = file["model"]["byte_fallback"] == true && has_added(text);
            for ids in [ids, ids_saved] {
                let decoded = tokenizer.decode_with_special(&ids);
                if begins_anew {
                    assert_eq!(decoded.replace(' ', ""), text.replace(' ', ""));
                } else {
                    assert_eq!(decoded, text);
                }
            }
        }
    }
}

/// What the tokenizer is once it was saved and read again, and the file between.
fn saved(tokenizer: &Tokenizer) -> (Tokenizer, serde_json::Value) {
    let (saved, file) = with_file("tokenizer.json", b"", |path| {
        tokenizer.save(path).unwrap();
        (Tokenizer::load(path), std::fs::read(path).unwrap())
    });
    let saved = saved.unwrap_or_else(|error| panic!("what was saved is not read: {error}"));
    (saved, serde_json::from_slice(&file).unwrap())
}

fn single_bytes() -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    (0..=255_u8).map(|byte| format!("{} {byte}\n", STANDARD.encode([byte]))).collect()
}
