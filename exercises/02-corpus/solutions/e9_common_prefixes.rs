//! Solution 02.9: walk the suffixes in the order of the text, and begin each comparison where the last one ended.
//!
//! `known` grows with each equal byte and shrinks by one a step. It never exceeds `n` and shrinks `n` times, so it grows at most
//! `2 n` times: that is the whole proof of linear time. At the first suffix of the array nothing is known: had the step before
//! it left a common byte, a smaller suffix would share that byte with it, and it would not be the first.

/// The longest common prefix of each suffix and the one before it in sorted order.
pub fn common_prefixes(n: usize, byte: impl Fn(usize) -> u8, suffixes: &[usize]) -> Vec<usize> {
    let mut rank = vec![0; n];
    for (place, &start) in suffixes.iter().enumerate() {
        rank[start] = place;
    }
    let mut prefixes = vec![0; n];
    let mut known: usize = 0;
    for start in 0..n {
        if rank[start] == 0 {
            continue;
        }
        let before = suffixes[rank[start] - 1];
        while start + known < n && before + known < n && byte(start + known) == byte(before + known) {
            known += 1;
        }
        prefixes[rank[start]] = known;
        known = known.saturating_sub(1);
    }
    prefixes
}
