//! Merges and scores, the two ways to say what is joined first.
//!
//! SentencePiece has no list of merges. Each token has a score, and of all neighbours whose texts, joined, are a token, those with the highest score are joined
//! first, the leftmost of equals. So every way to make a token has one rank: the place of its score among all scores.
//!
//! ```text
//! rank of (left, right) = how many scores are higher than the score of the token "left right"
//! score of a token      = − (lowest rank of the pairs that make it, or of tokens whose ranks are mixed with its)
//! ```
//!
//! A list of merges says more: it may leave out a way to make a token. Trained lists do, since training made each token in one way. Such a list
//! has no scores, and is refused: llama.cpp would join what this tokenizer does not.
//!
//! It also orders equals: written as a list, as converters do, `aaa` is made of `aa a` before `a aa`, where scores take the leftmost. On 3.6 MB of text with Mistral's
//! table the two gave the same ids.
//!
//! Only ordinary tokens are made by joining. llama.cpp also joins to the texts of special tokens; SentencePiece does not.
//!
//! Sources: llama.cpp, `llama-vocab.cpp`, `llm_tokenizer_spm`; sentencepiece, `src/bpe_model.cc`.

use std::{cmp::Reverse, collections::HashMap};

use crate::{
    Tokenizer,
    tokenizer::{Merge, Pair},
};

/// A longer text as one token is in no file that anyone made; without a bound, trying all cuts of one would take forever.
const MAX_TOKEN_BYTES: usize = 1 << 12;

// ANCHOR: merges_of_scores
/// Every way to make a token of two others, ordered by rank; of equal ranks, longer parts first, as converters of files list them.
/// `tokens` are texts, scores and ids.
///
/// # Errors
/// A token that is too long, or a score that is no number.
pub(super) fn merges_of_scores(tokens: &[(&str, f32, u32)]) -> Result<Vec<(Pair, Merge)>, String> {
    if let Some((text, ..)) = tokens.iter().find(|(text, ..)| text.len() > MAX_TOKEN_BYTES) {
        return Err(format!("a token has {} bytes; {MAX_TOKEN_BYTES} are possible", text.len()));
    }
    if let Some((text, score, _)) = tokens.iter().find(|(_, score, _)| score.is_nan()) {
        return Err(format!("the score of {text:?} is {score}"));
    }
    let id_of: HashMap<&str, u32, foldhash::fast::RandomState> =
        tokens.iter().map(|&(text, _, id)| (text, id)).collect();
    let mut scores: Vec<f32> = tokens.iter().map(|&(_, score, _)| score).collect();
    scores.sort_by(|a, b| b.total_cmp(a));
    scores.dedup();
    let mut merges = Vec::new();
    for &(text, score, new_id) in tokens {
        let rank = scores.partition_point(|higher| *higher > score) as u32;
        let n_chars = text.chars().count();
        for ((at, _), n_left) in text.char_indices().zip(0..).skip(1) {
            let (left, right) = text.split_at(at);
            if let (Some(&left), Some(&right)) = (id_of.get(left), id_of.get(right)) {
                let place = (rank, Reverse(n_left), Reverse(n_chars - n_left));
                merges.push((place, ((left, right), Merge { rank, new_id })));
            }
        }
    }
    merges.sort_by_key(|(place, _)| *place);
    Ok(merges.into_iter().map(|(_, merge)| merge).collect())
}
// ANCHOR_END: merges_of_scores

/// The score of each id, of which `written` are the texts; other texts than the ordinary ones are not `is_joined`.
///
/// # Errors
/// If scores cannot say what this tokenizer joins; the message names two tokens.
pub(super) fn scores_of_merges(
    tokenizer: &Tokenizer,
    written: &[String],
    is_joined: impl Fn(u32) -> bool,
) -> Result<Vec<f32>, String> {
    let n_chars = |id: u32| Reverse(written[id as usize].chars().count());
    let quoted = |(left, right): Pair| format!("{:?} and {:?}", written[left as usize], written[right as usize]);
    let known = tokenizer.merges().iter().filter_map(|&pair| Some((pair, tokenizer.merge_of(pair)?)));
    let mut merges: Vec<(Pair, Merge)> = known.collect();
    merges.sort_by_key(|(_, merge)| merge.rank);
    let last_rank: HashMap<u32, u32> = merges.iter().map(|(_, merge)| (merge.new_id, merge.rank)).collect();
    // Single characters are made of nothing; theirs is below all others, as SentencePiece has it.
    let mut scores = vec![-(merges.len() as f32) - 1.0; written.len()];
    // Tokens whose ranks are mixed had equal scores, if they are in the order in which converters list equals.
    let mut mixed = 0..0;
    let mut before: Option<(Pair, u32)> = None;
    for &(pair, Merge { rank, new_id }) in &merges {
        if !mixed.contains(&rank) {
            (mixed, before) = (rank..rank, None);
        }
        mixed.end = mixed.end.max(last_rank[&new_id] + 1);
        scores[new_id as usize] = -(mixed.start as f32);
        let place = |(left, right): Pair| (n_chars(left), n_chars(right));
        if before.is_some_and(|(before, made)| made != new_id && place(before) > place(pair)) {
            return Err(format!("no score can say that {} are joined as late as they are here", quoted(pair)));
        }
        before = Some((pair, new_id));
    }
    let ids = (0_u32..).zip(written).zip(&scores).filter(|((id, _), _)| is_joined(*id));
    let tokens: Vec<(&str, f32, u32)> = ids.map(|((id, text), &score)| (text.as_str(), score, id)).collect();
    let derived: HashMap<Pair, u32> =
        merges_of_scores(&tokens)?.into_iter().map(|(pair, merge)| (pair, merge.new_id)).collect();
    let ours: HashMap<Pair, u32> = merges.into_iter().map(|(pair, merge)| (pair, merge.new_id)).collect();
    let only_in = |some: &HashMap<Pair, u32>, others: &HashMap<Pair, u32>| {
        some.iter().filter(|(pair, id)| others.get(pair) != Some(id)).map(|(pair, _)| *pair).min()
    };
    match (only_in(&derived, &ours), only_in(&ours, &derived)) {
        (None, None) => Ok(scores),
        (Some(pair), _) => Err(format!(
            "llama.cpp joins by scores, so it would join {}, which this tokenizer does not; only a table that SentencePiece made has scores",
            quoted(pair)
        )),
        (None, Some(pair)) => Err(format!("llama.cpp would not join {}, which this tokenizer does", quoted(pair))),
    }
}
