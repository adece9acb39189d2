//! Planted bug: a suffix is compared with the one behind it in the array.

/// The longest common prefix of each suffix and the one before it in sorted order.
pub fn common_prefixes(n: usize, byte: impl Fn(usize) -> u8, suffixes: &[usize]) -> Vec<usize> {
    let mut rank = vec![0; n];
    for (place, &start) in suffixes.iter().enumerate() {
        rank[start] = place;
    }
    let mut prefixes = vec![0; n];
    let mut known: usize = 0;
    for start in 0..n {
        if rank[start] + 1 == n {
            continue;
        }
        let before = suffixes[rank[start] + 1];
        while start + known < n && before + known < n && byte(start + known) == byte(before + known) {
            known += 1;
        }
        prefixes[rank[start]] = known;
        known = known.saturating_sub(1);
    }
    prefixes
}
