//! How well a vocabulary fits a text.
//!
//! * bytes per token: how much text one id carries. More is better for the model (a longer reach in text for the same
//!   number of positions), until tokens become so rare that it cannot learn them.
//! * unused tokens: rows of the embedding table that this text never touches. They cost parameters, and a model that
//!   meets one later has never trained it.
//! * longest tokens: often the quickest way to see what a corpus repeats.
//!
//! Bytes per token of two vocabularies may only be compared on the same text.

use std::fmt;

use serde::Serialize;

use crate::{
    Tokenizer,
    probes::{KindReport, by_kind},
};

/// How many of the longest tokens a report lists.
const N_LONGEST: usize = 8;

// ANCHOR: report
/// A vocabulary measured on texts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VocabReport {
    /// Ids in the vocabulary.
    pub vocab_size: usize,
    /// Bytes of the texts.
    pub n_bytes: u64,
    /// Tokens of the texts.
    pub n_tokens: u64,
    /// Ids, in order, that the texts never use, special tokens left out.
    pub unused: Vec<u32>,
    /// The longest tokens that the texts use, longest first.
    pub longest: Vec<String>,
}

/// Encodes `texts` and counts. Special tokens are not recognised in them.
pub fn report<T: AsRef<str> + Sync>(tokenizer: &Tokenizer, texts: &[T]) -> VocabReport {
    let n_bytes = texts.iter().map(|text| text.as_ref().len() as u64).sum();
    let mut uses = vec![0_u64; tokenizer.vocab_size()];
    for id in tokenizer.encode_batch(texts).into_iter().flatten() {
        uses[id as usize] += 1;
    }
    let ids = 0..tokenizer.vocab_size() as u32;
    let (used, unused): (Vec<u32>, Vec<u32>) =
        ids.filter(|&id| !tokenizer.is_special(id)).partition(|&id| uses[id as usize] > 0);
    VocabReport {
        vocab_size: tokenizer.vocab_size(),
        n_bytes,
        n_tokens: uses.iter().sum(),
        unused,
        longest: longest(tokenizer, used),
    }
}
// ANCHOR_END: report

fn longest(tokenizer: &Tokenizer, mut ids: Vec<u32>) -> Vec<String> {
    let n_bytes = |id| tokenizer.token_bytes(id).map_or(0, <[u8]>::len);
    ids.sort_by_key(|&id| std::cmp::Reverse(n_bytes(id)));
    ids.into_iter().take(N_LONGEST).filter_map(|id| tokenizer.token_of(id)).collect()
}

impl VocabReport {
    /// Bytes of text that one token carries on average; 0 for no text.
    pub fn bytes_per_token(&self) -> f64 {
        self.n_bytes as f64 / self.n_tokens.max(1) as f64
    }
}

// ANCHOR: comparison
/// A vocabulary beside others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Which one.
    pub name: String,
    /// Ids in the vocabulary.
    pub vocab_size: usize,
    /// How it cuts text into words.
    pub pretokenizer: String,
    /// Bytes and tokens of short texts of known kinds.
    pub kinds: Vec<KindReport>,
    /// The same for the texts that were given.
    pub corpus: Option<VocabReport>,
    /// Numbers in its embedding table: vocab_size · d_model. A head of its own doubles them.
    pub n_embedding_parameters: u64,
}

/// Measures a vocabulary on the probes, on `texts` if there are any, and by its cost in a model of width `d_model`.
pub fn compare<T: AsRef<str> + Sync>(name: &str, tokenizer: &Tokenizer, texts: &[T], d_model: usize) -> Comparison {
    Comparison {
        name: name.to_owned(),
        vocab_size: tokenizer.vocab_size(),
        pretokenizer: tokenizer.pretokenizer().to_string(),
        kinds: by_kind(tokenizer),
        corpus: (!texts.is_empty()).then(|| report(tokenizer, texts)),
        n_embedding_parameters: tokenizer.vocab_size() as u64 * d_model as u64,
    }
}

/// Tokens that `texts` take with the first ids alone: with half of the vocabulary, a quarter, and so on down to the bytes, smallest first.
pub fn length_by_vocab_size<T: AsRef<str> + Sync>(tokenizer: &Tokenizer, texts: &[T]) -> Vec<(usize, u64)> {
    let halves = std::iter::successors(Some(tokenizer.vocab_size()), |size| Some(size / 2));
    let mut sizes: Vec<usize> = halves.take_while(|&size| size >= 256).collect();
    sizes.reverse();
    let n_tokens = |size| {
        let smaller = tokenizer.with_first_ids(size)?;
        Some((size, smaller.encode_batch(texts).iter().map(|ids| ids.len() as u64).sum()))
    };
    sizes.into_iter().filter_map(n_tokens).collect()
}
// ANCHOR_END: comparison

impl fmt::Display for VocabReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "vocabulary       {}", self.vocab_size)?;
        writeln!(f, "bytes            {}", self.n_bytes)?;
        writeln!(f, "tokens           {}", self.n_tokens)?;
        writeln!(f, "bytes per token  {:.2}", self.bytes_per_token())?;
        writeln!(f, "unused tokens    {}", self.unused.len())?;
        let longest: Vec<String> = self.longest.iter().map(|token| format!("{token:?}")).collect();
        writeln!(f, "longest          {}", longest.join(" "))
    }
}
