//! Planted bug: of equal counts the largest pair wins.

use std::collections::HashMap;

/// Two neighbouring token ids.
pub type Pair = (u32, u32);

/// The pair to merge next and how often it occurs, of `words` with their counts.
pub fn most_frequent_pair(words: &[(Vec<u32>, u64)]) -> Option<(Pair, u64)> {
    let mut counts: HashMap<Pair, u64> = HashMap::new();
    for (ids, n_words) in words {
        for pair in ids.windows(2) {
            *counts.entry((pair[0], pair[1])).or_default() += n_words;
        }
    }
    counts.into_iter().max_by_key(|&(pair, count)| (count, pair))
}
