//! Planted bug: every distinct word counts once.

use std::cmp::Reverse;
use std::collections::HashMap;

/// Two neighbouring token ids.
pub type Pair = (u32, u32);

/// The pair to merge next and how often it occurs, of `words` with their counts.
pub fn most_frequent_pair(words: &[(Vec<u32>, u64)]) -> Option<(Pair, u64)> {
    let mut counts: HashMap<Pair, u64> = HashMap::new();
    for (ids, _) in words {
        for pair in ids.windows(2) {
            *counts.entry((pair[0], pair[1])).or_default() += 1;
        }
    }
    counts.into_iter().max_by_key(|&(pair, count)| (count, Reverse(pair)))
}
