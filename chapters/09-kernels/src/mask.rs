//! Which keys a query sees, as ranges: a matrix of ones and zeros never exists.
//!
//! A query sees the keys up to its own. A sliding window ends how far back it looks (Mistral: Jiang et al. 2023, arXiv 2310.06825, section 2), and
//! padding in front of a sequence is seen by nobody else: as in chapter 5's [`attention::mask`]. All three leave a range of keys that ends
//! with the query's own and begins no earlier than that of the query before it.

use std::ops::Range;

use attention::KeyValueStore;

// ANCHOR: mask
/// What of the keys before its own a query of one sequence does not see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mask {
    /// How many positions back a query sees, itself counted; at least 1.
    pub window: usize,
    /// How many of the first positions are padding.
    pub n_padding: usize,
}

impl Mask {
    /// Nothing is hidden but what comes later.
    pub const CAUSAL: Self = Self { window: usize::MAX, n_padding: 0 };

    /// That of each of `batch` sequences.
    pub(crate) fn of_sequences(window: Option<usize>, store: &dyn KeyValueStore, batch: usize) -> Vec<Self> {
        let window = window.unwrap_or(usize::MAX);
        let n_padding = |sequence: usize| store.padding().and_then(|padding| padding.get(sequence)).copied();
        (0..batch).map(|sequence| Self { window, n_padding: n_padding(sequence).unwrap_or(0) }).collect()
    }

    /// The keys that the query at this position sees. Its own is one of them, in padding too: a row of nothing has no softmax.
    pub fn keys(self, position: usize) -> Range<usize> {
        let in_window = (position + 1).saturating_sub(self.window);
        in_window.max(self.n_padding.min(position))..position + 1
    }

    /// The keys that these queries see, in blocks of at most `size` that begin at its multiples.
    pub(crate) fn blocks(self, queries: Range<usize>, size: usize) -> impl Iterator<Item = Range<usize>> {
        let first = self.keys(queries.start).start / size * size;
        (first..queries.end).step_by(size).map(move |start| start..queries.end.min(start + size))
    }
}

/// A block of scores: queries in their order, each with the same keys.
#[derive(Debug, Clone, Copy)]
pub struct Tile {
    /// Who sees what.
    pub mask: Mask,
    /// Position of the first query.
    pub first_query: usize,
    /// Position of the first key.
    pub first_key: usize,
    /// Keys of each row.
    pub n_keys: usize,
}

impl Tile {
    /// The columns that row number `row` sees; none, if its keys lie elsewhere.
    pub fn visible(self, row: usize) -> Range<usize> {
        let keys = self.mask.keys(self.first_query + row);
        let column = |key: usize| key.saturating_sub(self.first_key).min(self.n_keys);
        column(keys.start)..column(keys.end)
    }
}
// ANCHOR_END: mask

#[cfg(test)]
mod tests {
    use super::*;
    use ::attention::mask::visible_mask;
    use candle_core::Device;

    #[test]
    fn ranges_are_what_the_mask_of_chapter_5_shows() {
        let n = 9;
        for window in [None, Some(1), Some(3), Some(20)] {
            for n_padding in [0, 2, 8] {
                let truth = visible_mask(n, n, window, Some(&[n_padding]), &Device::Cpu).unwrap();
                let truth = truth.reshape((n, n)).unwrap().to_vec2::<f32>().unwrap();
                let mask = Mask { window: window.unwrap_or(usize::MAX), n_padding };
                // In blocks that do not fit the sequence: tiles of 4 queries and 2 keys.
                for (first_query, first_key) in (0..n).step_by(4).flat_map(|q| (0..n).step_by(2).map(move |k| (q, k))) {
                    let tile = Tile { mask, first_query, first_key, n_keys: 2.min(n - first_key) };
                    for row in 0..4.min(n - first_query) {
                        let row_of_mask = &truth[first_query + row][first_key..first_key + tile.n_keys];
                        let seen: Vec<usize> = (0..tile.n_keys).filter(|j| row_of_mask[*j] == 0.0).collect();
                        assert_eq!(tile.visible(row).collect::<Vec<_>>(), seen, "{tile:?} row {row}");
                    }
                }
            }
        }
    }
}
