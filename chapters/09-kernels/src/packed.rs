//! Queries, keys and values side by side, as one matrix product makes them, and the windows that attention sees of them.
//!
//! A row is a token: its query heads, then its key heads, then its value heads, each of `head_dim` numbers. One head of one sequence is a window
//! `(seq_len, head_dim)` whose rows lie a whole packed row apart. Query head h uses the key and the value head h / (n_heads / n_kv_heads) (grouped
//! queries: Ainslie et al. 2023, arXiv 2305.13245), so that a *group* of query heads shares one.

use crate::matrix::{Matrix, MatrixMut};

// ANCHOR: shape
/// The sizes of an attention layer and of its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Sequences.
    pub batch: usize,
    /// Tokens of each sequence.
    pub seq_len: usize,
    /// Query heads.
    pub n_heads: usize,
    /// Key heads, and as many value heads.
    pub n_kv_heads: usize,
    /// Numbers of one head.
    pub head_dim: usize,
}

impl Shape {
    /// Query heads that share a key and a value head.
    pub fn group(self) -> usize {
        self.n_heads / self.n_kv_heads
    }

    /// Heads of a packed row.
    pub fn n_packed(self) -> usize {
        self.n_heads + 2 * self.n_kv_heads
    }

    /// Tokens of all sequences.
    pub fn n_rows(self) -> usize {
        self.batch * self.seq_len
    }

    /// # Panics
    /// If a size is zero, `head_dim` is odd, or `n_kv_heads` does not divide `n_heads`.
    pub fn validate(self) {
        let Self { batch, seq_len, n_heads, n_kv_heads, head_dim } = self;
        assert!([batch, seq_len, n_heads, n_kv_heads, head_dim].iter().all(|&n| n > 0), "an empty shape: {self:?}");
        assert!(n_heads.is_multiple_of(n_kv_heads), "n_kv_heads {n_kv_heads} does not divide n_heads {n_heads}");
        assert!(head_dim.is_multiple_of(2), "head_dim {head_dim} is odd; rotary positions rotate pairs");
    }
}
// ANCHOR_END: shape

// ANCHOR: windows
/// Head number `head` of one sequence, where a row of `data` has `n_heads` of them.
pub(crate) fn window(data: &[f32], shape: Shape, n_heads: usize, sequence: usize, head: usize) -> Matrix<'_> {
    let Shape { seq_len, head_dim, .. } = shape;
    Matrix::new(data, n_heads * head_dim)
        .rows(sequence * seq_len..(sequence + 1) * seq_len)
        .columns(head * head_dim..(head + 1) * head_dim)
}

/// A key head, its value head and the query heads that share them; each `(seq_len, head_dim)`.
pub(crate) struct Heads<'a> {
    pub queries: Vec<Matrix<'a>>,
    pub keys: Matrix<'a>,
    pub values: Matrix<'a>,
}

impl<'a> Heads<'a> {
    /// Those of one key-value head of one sequence of the packed `qkv`.
    pub fn new(shape: Shape, qkv: &'a [f32], sequence: usize, kv_head: usize) -> Self {
        let head = |head| window(qkv, shape, shape.n_packed(), sequence, head);
        let group = kv_head * shape.group()..(kv_head + 1) * shape.group();
        Self {
            queries: group.map(head).collect(),
            keys: head(shape.n_heads + kv_head),
            values: head(shape.n_heads + shape.n_kv_heads + kv_head),
        }
    }
}

/// All heads of a packed gradient, to be written by different threads: of one sequence after the other, in the order of their numbers.
pub(crate) struct HeadsMut<'a> {
    pub queries: Vec<MatrixMut<'a>>,
    pub keys: Vec<MatrixMut<'a>>,
    pub values: Vec<MatrixMut<'a>>,
}

impl<'a> HeadsMut<'a> {
    pub fn new(shape: Shape, d_qkv: &'a mut [f32]) -> Self {
        let Shape { seq_len, n_heads, n_kv_heads, head_dim, .. } = shape;
        let mut heads = Self { queries: Vec::new(), keys: Vec::new(), values: Vec::new() };
        let windows = MatrixMut::new(d_qkv, shape.n_packed() * head_dim).split(seq_len, head_dim);
        for (i, window) in windows.into_iter().enumerate() {
            match i % shape.n_packed() {
                number if number < n_heads => heads.queries.push(window),
                number if number < n_heads + n_kv_heads => heads.keys.push(window),
                _ => heads.values.push(window),
            }
        }
        heads
    }
}
// ANCHOR_END: windows

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_where_the_layout_says() {
        let shape = Shape { batch: 2, seq_len: 3, n_heads: 4, n_kv_heads: 2, head_dim: 2 };
        let width = shape.n_packed() * shape.head_dim;
        // Each number says where it is: row, then column.
        let at = |row: usize, head: usize| (1000 * row + 2 * head) as f32;
        let mut packed: Vec<f32> = (0..6 * width).map(|i| (1000 * (i / width) + i % width) as f32).collect();
        let heads = Heads::new(shape, &packed, 1, 1);
        assert_eq!(heads.queries.len(), 2);
        let windows = [(heads.queries[0], 2), (heads.queries[1], 3), (heads.keys, 5), (heads.values, 7)];
        for (window, head) in windows {
            assert_eq!((window.n_rows(), window.n_cols()), (3, 2));
            assert_eq!((window.row(0)[0], window.row(2)[0]), (at(3, head), at(5, head)));
        }
        let mut heads = HeadsMut::new(shape, &mut packed);
        assert_eq!((heads.queries.len(), heads.keys.len(), heads.values.len()), (8, 4, 4));
        for (window, row, head) in
            [(&mut heads.queries[4 + 3], 3, 3), (&mut heads.keys[2 + 1], 3, 5), (&mut heads.values[1], 0, 7)]
        {
            assert_eq!(
                (window.n_rows(), window.row_mut(0)[0], window.row_mut(2)[0]),
                (3, at(row, head), at(row + 2, head))
            );
        }
    }

    #[test]
    #[should_panic(expected = "does not divide")]
    fn heads_that_no_group_fits_are_refused() {
        Shape { batch: 1, seq_len: 1, n_heads: 3, n_kv_heads: 2, head_dim: 2 }.validate();
    }
}
