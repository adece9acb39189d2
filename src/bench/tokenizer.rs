//! The tokenizer: seconds to learn a vocabulary, and bytes per second to encode and decode.
//!
//! A first encoding meets each word for the first time; a second one finds most in the cache. Both are told, and the first is what is compared
//! with other libraries. `tests/reference/tokenizer_speed.py` runs peers on the same documents, in turn with this.

use ::tokenizer::{Tokenizer, TrainConfig};
use anyhow::{Result, ensure};
use serde::Serialize;

use super::seconds;

/// What the tokenizer took.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TokenizerBench {
    /// Documents.
    pub n_texts: usize,
    /// Bytes of text.
    pub n_bytes: u64,
    /// Tokens that the documents become.
    pub n_tokens: u64,
    /// Ids in the vocabulary.
    pub vocab_size: usize,
    /// Threads that worked.
    pub threads: usize,
    /// Seconds of each training; empty if a finished tokenizer was given.
    pub train_s: Vec<f64>,
    /// Seconds of each encoding of all documents with empty caches.
    pub encode_s: Vec<f64>,
    /// Seconds of each encoding of all documents right after that.
    pub encode_again_s: Vec<f64>,
    /// Seconds of each decoding.
    pub decode_s: Vec<f64>,
}

/// What is encoded with.
#[derive(Debug)]
pub enum Vocabulary {
    /// A tokenizer that exists.
    Given(Box<Tokenizer>),
    /// One that is trained on the documents, and whose training is timed.
    Trained(TrainConfig),
}

/// Times `repetitions` of everything.
///
/// # Errors
/// If the settings cannot be trained with, or decoding does not give the documents back.
pub fn tokenizer(texts: &[String], vocabulary: Vocabulary, repetitions: usize) -> Result<TokenizerBench> {
    let mut train_s = Vec::new();
    let tokenizer = match vocabulary {
        Vocabulary::Given(tokenizer) => *tokenizer,
        Vocabulary::Trained(config) => {
            let mut train = || -> Result<Tokenizer> {
                let (time, trained) = seconds(|| Ok(Tokenizer::train(texts, &config)?))?;
                train_s.push(time);
                Ok(trained)
            };
            (1..repetitions).try_for_each(|_| train().map(drop))?;
            train()?
        }
    };
    let (mut encode_s, mut encode_again_s, mut decode_s) = (Vec::new(), Vec::new(), Vec::new());
    let mut n_tokens = 0;
    for _ in 0..repetitions {
        // A clone has empty caches.
        let fresh = tokenizer.clone();
        let (first, ids) = seconds(|| Ok(fresh.encode_batch(texts)))?;
        let (again, same) = seconds(|| Ok(fresh.encode_batch(texts)))?;
        let (decode, decoded) = seconds(|| Ok(ids.iter().map(|ids| fresh.decode(ids)).collect::<Vec<_>>()))?;
        ensure!(ids == same, "a warm cache gave other ids than a cold one");
        // A table that lacks bytes, or composes characters, does not give every text back.
        ensure!(decoded.len() == texts.len(), "{} texts became {}", texts.len(), decoded.len());
        n_tokens = ids.iter().map(|ids| ids.len() as u64).sum();
        encode_s.push(first);
        encode_again_s.push(again);
        decode_s.push(decode);
    }
    Ok(TokenizerBench {
        n_texts: texts.len(),
        n_bytes: texts.iter().map(|text| text.len() as u64).sum(),
        n_tokens,
        vocab_size: tokenizer.vocab_size(),
        threads: rayon::current_num_threads(),
        train_s,
        encode_s,
        encode_again_s,
        decode_s,
    })
}
