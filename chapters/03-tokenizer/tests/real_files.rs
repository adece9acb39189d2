//! Real vocabularies give the ids that their own libraries give; run where somebody has fetched them.
//!
//! `PUBLISHED_TOKENIZERS` names the folder that `tests/reference/tokenizer_published.py` or `tokenizer_sentencepiece_published.py` wrote. Without it there is nothing to do:
//! the files are others', and megabytes. `published.rs` holds the same pipelines on small vocabularies of our own.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokenizer::{PreTokenizer, Tokenizer, TokenizerError};

/// One vocabulary: a `tokenizer.json`, a GGUF file, or a rank file with the name of its pattern.
#[derive(Deserialize)]
struct Entry {
    name: String,
    tokenizer_json: Option<PathBuf>,
    gguf: Option<PathBuf>,
    tiktoken: Option<PathBuf>,
    pattern: Option<String>,
}

impl Entry {
    fn open(&self) -> Result<Tokenizer, TokenizerError> {
        match (self.tokenizer_json.as_ref().or(self.gguf.as_ref()), &self.tiktoken, &self.pattern) {
            (Some(file), ..) => Tokenizer::open(file),
            (None, Some(file), Some(pattern)) => {
                let pretokenizer: PreTokenizer = pattern.parse().unwrap();
                Tokenizer::load_tiktoken(file, pretokenizer, &[])
            }
            _ => panic!("{} has no file", self.name),
        }
    }
}

fn read<T: DeserializeOwned>(folder: &Path, name: &str) -> T {
    serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
}

#[test]
fn real_vocabularies_give_the_ids_of_their_libraries() {
    let Some(folder) = std::env::var_os("PUBLISHED_TOKENIZERS").map(PathBuf::from) else { return };
    let texts: Vec<String> = read(&folder, "texts.json");
    let mut differing = Vec::new();
    for entry in read::<Vec<Entry>>(&folder, "index.json") {
        let ours = match entry.open() {
            Ok(ours) => ours,
            Err(TokenizerError::Unsupported { .. }) => {
                println!("{}: refused: {}", entry.name, entry.open().unwrap_err());
                continue;
            }
            Err(error) => panic!("{}: {error}", entry.name),
        };
        let expected: Vec<Vec<u32>> = read(&folder, &format!("{}.ids.json", entry.name));
        let n_same = texts.iter().zip(&expected).filter(|(text, ids)| ours.encode(text) == **ids).count();
        let n_ids: usize = expected.iter().map(Vec::len).sum();
        println!(
            "{}: {} ids in the table, {n_same} of {} texts alike, {n_ids} ids",
            entry.name,
            ours.vocab_size(),
            texts.len()
        );
        if n_same < texts.len() {
            differing.push(entry.name);
        }
    }
    assert!(differing.is_empty(), "other ids: {differing:?}");
}
