//! Planted bug: stops after the first merge.

/// Two neighbouring token ids.
pub type Pair = (u32, u32);

/// `ids` with each non-overlapping `pair`, from the left, replaced by `new_id`.
pub fn merge(ids: &[u32], pair: Pair, new_id: u32) -> Vec<u32> {
    let mut merged = Vec::with_capacity(ids.len());
    let mut i = 0;
    while i < ids.len() {
        if i + 1 < ids.len() && (ids[i], ids[i + 1]) == pair {
            merged.push(new_id);
            i += 2;
        } else {
            merged.push(ids[i]);
            i += 1;
        }
    }
    merged
}

/// Token ids of `word` under `merges`, in order of rank.
pub fn encode(word: &[u8], merges: &[Pair]) -> Vec<u32> {
    let mut ids: Vec<u32> = word.iter().copied().map(u32::from).collect();
    let rank_of = |pair: &[u32]| merges.iter().position(|&m| m == (pair[0], pair[1]));
    if let Some(rank) = ids.windows(2).filter_map(rank_of).min() {
        ids = merge(&ids, merges[rank], 256 + rank as u32);
    }
    ids
}
