//! Solution 03.2: merge by rank until nothing is left to merge.
//!
//! A merge of rank `r` can only make pairs that were learned later, so one walk over the list in
//! order of rank would give the same ids. Looking for the lowest rank among the pairs that are
//! there takes time by the length of the word, not by the size of the vocabulary (with a map in
//! place of `position`, as the chapter has it).

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
    while let Some(rank) = ids.windows(2).filter_map(rank_of).min() {
        ids = merge(&ids, merges[rank], 256 + rank as u32);
    }
    ids
}
