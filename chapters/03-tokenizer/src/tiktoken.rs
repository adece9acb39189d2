//! `tiktoken`'s rank files: OpenAI's vocabularies, one token a line, `base64 rank`.
//!
//! Such a file holds no merges. A token's rank is its id, and two neighbours are joined if their bytes together are a token;
//! the lowest rank goes first. So each way to cut a token into two other tokens is a merge, of the token's rank:
//!
//! ```text
//! merges of t = { (l, r) : l ++ r = t, l and r are tokens }, each of rank(t)
//! ```
//!
//! And a word that is a token is not merged at all. With these two rules the ids are tiktoken's.
//!
//! The file says neither how text is cut nor which tokens are special; both are known for the published files, by name.
//!
//! Source: tiktoken 0.14, `src/lib.rs`, `_byte_pair_merge`, and `tiktoken_ext/openai_public.py`.

use std::{collections::HashMap, fs, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    Pattern, PreTokenizer, Tokenizer, TokenizerError,
    added::{AddedToken, AddedTokens},
    pipeline::Pipeline,
    tokenizer::{Merge, Pair, Parts},
};

impl Tokenizer {
    /// Reads a rank file, with what it does not say: how text is cut, and the special tokens with their ids.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_tiktoken(
        path: impl AsRef<Path>,
        pretokenizer: PreTokenizer,
        special_tokens: &[(&str, u32)],
    ) -> Result<Self, TokenizerError> {
        let path = path.as_ref();
        let text = fs::read_to_string(path).map_err(|source| TokenizerError::io("read", path, source))?;
        let damaged = |reason: String| TokenizerError::damaged(path, reason);
        let mut tokens = read_ranks(&text).map_err(damaged)?;
        let merges = merges_of(&tokens);
        for &(token, id) in special_tokens {
            let place = id as usize;
            tokens.resize(tokens.len().max(place + 1), Vec::new());
            if !tokens[place].is_empty() {
                return Err(damaged(format!("it has a token of rank {id}, which is the id of {token}")));
            }
            tokens[place] = token.as_bytes().to_vec();
        }
        let added = special_tokens.iter().map(|&(token, id)| AddedToken::special(token, id));
        let pipeline = Pipeline { pretokenizer, whole_words_first: true, ..Pipeline::default() };
        let added = AddedTokens::new(added.collect(), &pipeline)?;
        Self::from_parts(Parts { tokens, byte_tokens: Vec::new(), merges, added, pipeline })
            .map_err(|missing| damaged(format!("it has no token for byte 0x{:02X}", missing.0)))
    }

    /// Reads a rank file that OpenAI published, known by its name.
    ///
    /// # Errors
    /// As [`load`](Self::load), and for a name that is not known.
    pub fn load_published_tiktoken(path: impl AsRef<Path>) -> Result<Self, TokenizerError> {
        let path = path.as_ref();
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let Some((_, pattern, special_tokens)) = PUBLISHED.iter().find(|published| published.0 == name) else {
            let known: Vec<&str> = PUBLISHED.iter().map(|published| published.0).collect();
            let what = format!("a pattern and special tokens that are known for {} alone", known.join(", "));
            return Err(TokenizerError::unsupported(path, what));
        };
        let pretokenizer = PreTokenizer { pattern: *pattern, ..PreTokenizer::default() };
        Self::load_tiktoken(path, pretokenizer, special_tokens)
    }
}

/// Name, pattern and special tokens of a published file.
type Published = (&'static str, Pattern, &'static [(&'static str, u32)]);

const PUBLISHED: [Published; 4] = [
    ("r50k_base", Pattern::Gpt2, &[("<|endoftext|>", 50_256)]),
    ("p50k_base", Pattern::Gpt2, &[("<|endoftext|>", 50_256)]),
    (
        "cl100k_base",
        Pattern::Cl100k,
        &[
            ("<|endoftext|>", 100_257),
            ("<|fim_prefix|>", 100_258),
            ("<|fim_middle|>", 100_259),
            ("<|fim_suffix|>", 100_260),
            ("<|endofprompt|>", 100_276),
        ],
    ),
    ("o200k_base", Pattern::O200k, &[("<|endoftext|>", 199_999), ("<|endofprompt|>", 200_018)]),
];

/// The tokens by rank; empty where no token has that rank.
///
/// # Errors
/// What is wrong, with its line.
fn read_ranks(text: &str) -> Result<Vec<Vec<u8>>, String> {
    let n_lines = text.lines().filter(|line| !line.is_empty()).count();
    let mut tokens: Vec<Vec<u8>> = Vec::new();
    for (line, n) in text.lines().zip(1..).filter(|(line, _)| !line.is_empty()) {
        let parsed = line
            .split_once(' ')
            .and_then(|(token, rank)| Some((STANDARD.decode(token).ok()?, rank.trim_end().parse::<usize>().ok()?)));
        let (token, rank) = parsed.ok_or_else(|| format!("line {n} is not a token in base64, a space and a rank"))?;
        // Ranks are nearly without gaps; a wild one must not ask for gigabytes.
        if token.is_empty() || rank >= 2 * n_lines {
            return Err(format!("line {n} has a token of {} bytes and rank {rank} among {n_lines} lines", token.len()));
        }
        tokens.resize(tokens.len().max(rank + 1), Vec::new());
        if !tokens[rank].is_empty() {
            return Err(format!("line {n} gives rank {rank} a second time"));
        }
        tokens[rank] = token;
    }
    Ok(tokens)
}

// ANCHOR: merges_of
/// Every way to make a token of two others, in order of rank.
fn merges_of(tokens: &[Vec<u8>]) -> Vec<(Pair, Merge)> {
    let ids = || tokens.iter().zip(0_u32..).filter(|(token, _)| !token.is_empty());
    let rank_of: HashMap<&[u8], u32, foldhash::fast::RandomState> =
        ids().map(|(token, rank)| (&token[..], rank)).collect();
    let cuts = |(token, rank)| {
        let cut = |at| <[u8]>::split_at(token, at);
        let ranked = (1..<[u8]>::len(token))
            .map(cut)
            .filter_map(|(left, right)| Some((*rank_of.get(left)?, *rank_of.get(right)?)));
        ranked.map(move |pair| (pair, Merge { rank, new_id: rank })).collect::<Vec<_>>()
    };
    ids().flat_map(|(token, rank)| cuts((token.as_slice(), rank))).collect()
}
// ANCHOR_END: merges_of
