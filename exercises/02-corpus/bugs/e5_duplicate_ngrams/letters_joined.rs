//! Planted bug: runs are compared by their letters alone.

use std::collections::HashSet;

/// The share of the characters of `text` in runs of `n` words that occurred before.
pub fn duplicate_share(text: &str, n: usize) -> f64 {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut seen = HashSet::new();
    let (mut n_repeated, mut i) = (0, 0);
    while i + n <= words.len() {
        let run = &words[i..i + n];
        if seen.insert(run.concat()) {
            i += 1;
        } else {
            n_repeated += run.iter().map(|word| word.chars().count()).sum::<usize>();
            i += n;
        }
    }
    n_repeated as f64 / text.chars().count().max(1) as f64
}
