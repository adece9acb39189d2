//! What must hold for any bytes: one function a parser, called by the fuzzer and replayed by `cargo test`.
//!
//! Every function takes the fuzzer's bytes and panics when something is wrong: a parser that panics, or a property that
//! does not hold. A property says more than "does not crash": what is written is read back, two ways to the same answer
//! agree, damage in one place stays there. Memory and time are bounded from outside, by the fuzzer's limits.
//!
//! | file | what it feeds |
//! |---|---|
//! | [`archives`] | WARC files, plain and compressed, and the HTTP responses in them |
//! | [`pages`] | encodings, HTML, rustdoc's HTML |
//! | [`documents`] | JSONL, plain text, Parquet |
//! | [`settings`] | a job's TOML, block lists, word lists |
//! | [`codec`] | text to words to ids and back |
//! | [`vocabularies`] | `tokenizer.json`, GGUF, tiktoken's rank files |
//! | [`shards`] | token shards, their index, a loader's state |
#![allow(clippy::unwrap_used)]

pub mod archives;
pub mod codec;
pub mod documents;
pub mod pages;
pub mod settings;
pub mod shards;
pub mod vocabularies;

use std::path::{Path, PathBuf};

/// A check of any bytes; it panics when something is wrong.
pub type Check = fn(&[u8]);

/// All checks by name: the name of the fuzz target and of its folder of seeds.
pub const ALL: [(&str, Check); 19] = [
    ("warc", archives::warc),
    ("warc_members", archives::warc_members),
    ("http_response", archives::http_response),
    ("charset", pages::charset),
    ("html", pages::html),
    ("rustdoc", pages::rustdoc),
    ("jsonl", documents::jsonl),
    ("text", documents::text),
    ("parquet", documents::parquet),
    ("job_config", settings::job_config),
    ("url_block_list", settings::url_block_list),
    ("word_list", settings::word_list),
    ("words", codec::words),
    ("encode", codec::encode),
    ("decode", codec::decode),
    ("tokenizer_json", vocabularies::tokenizer_json),
    ("gguf", vocabularies::gguf),
    ("tiktoken", vocabularies::tiktoken),
    ("shards", shards::shards),
];

/// Calls `check` with the path of a file of this name and content; the file is gone afterwards.
fn with_file<T>(name: &str, bytes: &[u8], check: impl FnOnce(&Path) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    check(&path)
}

/// The check of this name.
///
/// # Panics
/// When there is none.
pub fn check(name: &str) -> Check {
    ALL.into_iter().find(|(known, _)| *known == name).map(|(_, check)| check).unwrap()
}
