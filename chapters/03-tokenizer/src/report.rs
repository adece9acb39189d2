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

use crate::Tokenizer;

/// How many of the longest tokens a report lists.
const N_LONGEST: usize = 8;

// ANCHOR: report
/// A vocabulary measured on texts.
#[derive(Debug, Clone, PartialEq)]
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
