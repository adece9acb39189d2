//! BPE training the slow way: recount every pair before each merge.
//!
//! ```text
//! repeat: count each pair of neighbours in all words
//!         join the most frequent pair everywhere (of equals, the one with the smaller ids)
//! ```
//!
//! Each merge reads the whole list of words, so m merges over w symbols cost m·w steps. [`train`](mod@crate::train)
//! makes the same merges without recounting; this is its oracle, and the version to read first.
//!
//! Source: Sennrich et al., arXiv 1508.07909, algorithm 1.

use std::{cmp::Reverse, collections::BTreeMap};

use crate::tokenizer::Pair;

// ANCHOR: recount
/// The first `n_merges` merges of `words` (ids and how often each occurs); the first new id is `next_id`.
/// Fewer, when no pair occurs `min_frequency` times.
pub fn merges_by_recounting(
    mut words: Vec<(Vec<u32>, u64)>,
    next_id: u32,
    n_merges: u32,
    min_frequency: u64,
) -> Vec<Pair> {
    let mut merges = Vec::new();
    for new_id in next_id..next_id + n_merges {
        let mut counts = BTreeMap::<Pair, u64>::new();
        for (ids, n_times) in &words {
            for pair in ids.windows(2) {
                *counts.entry((pair[0], pair[1])).or_default() += n_times;
            }
        }
        let best = counts.into_iter().max_by_key(|&(pair, count)| (count, Reverse(pair)));
        let Some((pair, _)) = best.filter(|&(_, count)| count >= min_frequency) else { break };
        for (ids, _) in &mut words {
            *ids = join(ids, pair, new_id);
        }
        merges.push(pair);
    }
    merges
}

/// `ids` with each `pair`, from the left, replaced by `new_id`.
pub fn join(ids: &[u32], pair: Pair, new_id: u32) -> Vec<u32> {
    let mut joined = Vec::with_capacity(ids.len());
    let mut rest = ids;
    while let [first, after @ ..] = rest {
        if after.first().is_some_and(|&second| (*first, second) == pair) {
            joined.push(new_id);
            rest = &after[1..];
        } else {
            joined.push(*first);
            rest = after;
        }
    }
    joined
}
// ANCHOR_END: recount
