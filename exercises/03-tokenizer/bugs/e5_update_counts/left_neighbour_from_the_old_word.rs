//! Planted bug: reads the left neighbour where it was before an earlier join took it.

use std::collections::HashMap;

/// Two neighbouring token ids.
pub type Pair = (u32, u32);

/// Joins each `pair` in `word`, which occurs `n_times`, and corrects `counts`.
pub fn merge_and_update(word: &mut Vec<u32>, pair: Pair, new_id: u32, n_times: i64, counts: &mut HashMap<Pair, i64>) {
    let mut change = |pair: Pair, by: i64| *counts.entry(pair).or_default() += by * n_times;
    let mut joined: Vec<u32> = Vec::with_capacity(word.len());
    let mut i = 0;
    while i < word.len() {
        if i + 1 == word.len() || (word[i], word[i + 1]) != pair {
            joined.push(word[i]);
            i += 1;
            continue;
        }
        change(pair, -1);
        if let Some(&before) = i.checked_sub(1).and_then(|i| word.get(i)) {
            change((before, pair.0), -1);
            change((before, new_id), 1);
        }
        if let Some(&after) = word.get(i + 2) {
            change((pair.1, after), -1);
            change((new_id, after), 1);
        }
        joined.push(new_id);
        i += 2;
    }
    *word = joined;
}
