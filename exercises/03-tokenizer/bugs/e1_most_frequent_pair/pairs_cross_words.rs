//! Planted bug: the words are read as one long text.

use std::cmp::Reverse;
use std::collections::HashMap;

/// Two neighbouring token ids.
pub type Pair = (u32, u32);

/// The pair to merge next and how often it occurs, of `words` with their counts.
pub fn most_frequent_pair(words: &[(Vec<u32>, u64)]) -> Option<(Pair, u64)> {
    let mut counts: HashMap<Pair, u64> = HashMap::new();
    let text: Vec<(u32, u64)> = words.iter().flat_map(|(ids, n)| ids.iter().map(|&id| (id, *n))).collect();
    for pair in text.windows(2) {
        *counts.entry((pair[0].0, pair[1].0)).or_default() += pair[1].1;
    }
    counts.into_iter().max_by_key(|&(pair, count)| (count, Reverse(pair)))
}
