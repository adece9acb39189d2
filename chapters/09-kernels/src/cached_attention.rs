//! Attention of new queries to a cache of keys and values, read where it lies.
//!
//! [`attention`](crate::attention) sees a whole sequence and makes gradients. Here the keys and values of earlier tokens are in a cache, rotated, and only
//! the queries of the new tokens are asked: one for each head when a model generates, as many as the prompt has tokens when it reads one.
//!
//! **A few queries** can do little with each key: their time is that of reading the cache, so it must be read by all threads even when there are few heads.
//! The keys are cut into blocks; a task lets the queries of one group (those that share a key-value head) see one block, and leaves
//! $m = \max_j s_j$, $\ell = \sum_j e^{s_j - m}$ and $o = \sum_j e^{s_j - m} v_j$ of each. Then
//! $$O = \frac{\sum_b e^{m_b - m}\, o_b}{\sum_b e^{m_b - m}\, \ell_b}, \qquad m = \max_b m_b$$
//! (Flash-Decoding: Dao, Haziza, Massa and Sizov 2023). The blocks depend on the number of keys alone, and so do the bits of the result.
//!
//! **Many queries** go through the keys in blocks of both, as in training: a block of queries ends where a block of keys may begin.

use std::ops::Range;

use rayon::prelude::*;

use crate::Isa;
use crate::attention::{KEY_BLOCK, QUERY_BLOCK, see_keys};
use crate::isa::per_isa;
use crate::lanes::{dot, exp, max};
use crate::matmul::Precision;
use crate::matrix::{Matrix, MatrixMut};
use crate::online_softmax::scale_rows;

/// New tokens that count as a few.
pub const FEW: usize = 4;

/// Keys of a task with a few queries: one head's keys and values then fit into the first-level cache together, and each query reads them there.
const KEYS_PER_TASK: usize = 64;

// ANCHOR: shape
/// The sizes of an attention layer with a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CachedShape {
    /// Sequences.
    pub batch: usize,
    /// New tokens of each: the last ones.
    pub q_len: usize,
    /// All tokens of each, new ones included.
    pub kv_len: usize,
    /// Query heads.
    pub n_heads: usize,
    /// Key heads, and as many value heads.
    pub n_kv_heads: usize,
    /// Numbers of one head.
    pub head_dim: usize,
}

/// Keys and values `(batch, n_kv_heads, kv_len, head_dim)`, where one head begins `head_stride` numbers after the other: a cache has room for more
/// tokens than it holds.
#[derive(Debug, Clone, Copy)]
pub struct Cache<'a> {
    /// Rotated keys, from the first number on.
    pub keys: &'a [f32],
    /// Values.
    pub values: &'a [f32],
    /// Numbers from one head to the next.
    pub head_stride: usize,
}

impl<'a> Cache<'a> {
    /// Keys and values of head number `head`, counted through all sequences.
    fn head(self, shape: CachedShape, head: usize) -> (Matrix<'a>, Matrix<'a>) {
        let CachedShape { kv_len, head_dim, .. } = shape;
        let window = |data: &'a [f32]| Matrix::new(&data[head * self.head_stride..][..kv_len * head_dim], head_dim);
        (window(self.keys), window(self.values))
    }
}
// ANCHOR_END: shape

/// Writes the attention of `queries` `(batch, n_heads, q_len, head_dim)`, rotated and divided by √head_dim, to `out` `(batch, q_len, n_heads · head_dim)`.
///
/// # Panics
/// If the shape is not valid or the lengths do not fit.
pub fn forward(isa: Isa, precision: Precision, shape: CachedShape, queries: &[f32], cache: Cache<'_>, out: &mut [f32]) {
    let CachedShape { batch, q_len, kv_len, n_heads, n_kv_heads, head_dim } = shape;
    assert!([batch, q_len, n_heads, n_kv_heads, head_dim].iter().all(|&n| n > 0), "an empty shape: {shape:?}");
    assert!(q_len <= kv_len && n_heads.is_multiple_of(n_kv_heads), "not a shape: {shape:?}");
    let n = batch * q_len * n_heads * head_dim;
    assert!(queries.len() == n && out.len() == n, "{} queries and {} results of {shape:?}", queries.len(), out.len());
    if q_len <= FEW {
        forward_few(isa, shape, queries, cache, out);
    } else {
        forward_many(isa, precision, shape, queries, cache, out);
    }
}

// ANCHOR: few
fn forward_few(isa: Isa, shape: CachedShape, queries: &[f32], cache: Cache<'_>, out: &mut [f32]) {
    let CachedShape { batch, q_len, kv_len, n_heads, n_kv_heads, head_dim } = shape;
    // The queries of a group lie one after another, and each block of keys leaves o, m and ℓ of each.
    let (n_rows, width) = (n_heads / n_kv_heads * q_len, head_dim + 2);
    let n_blocks = kv_len.div_ceil(KEYS_PER_TASK);
    let mut partial = vec![0.0; batch * n_kv_heads * n_blocks * n_rows * width];
    partial.par_chunks_exact_mut(n_rows * width).enumerate().for_each(|(task, partial)| {
        let (head, block) = (task / n_blocks, task % n_blocks);
        let (keys, values) = cache.head(shape, head);
        let queries = &queries[head * n_rows * head_dim..][..n_rows * head_dim];
        let seen = block * KEYS_PER_TASK..kv_len.min((block + 1) * KEYS_PER_TASK);
        see_block(isa, queries, q_len, keys, values, seen, partial);
    });
    for (head, partial) in partial.chunks_exact(n_blocks * n_rows * width).enumerate() {
        let (sequence, kv_head) = (head / n_kv_heads, head % n_kv_heads);
        for row in 0..n_rows {
            let (query_head, query) = (kv_head * (n_rows / q_len) + row / q_len, row % q_len);
            let at = ((sequence * q_len + query) * n_heads + query_head) * head_dim;
            let blocks = partial.chunks_exact(n_rows * width).map(|block| &block[row * width..][..width]);
            combine(isa, blocks, &mut out[at..][..head_dim]);
        }
    }
}

per_isa! {
    /// What the rows of `queries` take from the keys `seen`. The rows are those of `q_len` new tokens for one head after the other; each sees the
    /// keys up to its own.
    fn see_block<A>(
        queries: &[f32],
        q_len: usize,
        keys: Matrix<'_>,
        values: Matrix<'_>,
        seen: Range<usize>,
        partial: &mut [f32],
    ) {
        let (kv_len, head_dim) = (keys.n_rows(), keys.n_cols());
        let rows = queries.chunks_exact(head_dim).zip(partial.chunks_exact_mut(head_dim + 2));
        for (row, (query, partial)) in rows.enumerate() {
            let own = kv_len - q_len + row % q_len;
            let n_visible = seen.len().min((own + 1).saturating_sub(seen.start));
            let mut weights = [0.0; KEYS_PER_TASK];
            let weights = &mut weights[..n_visible];
            for (j, score) in weights.iter_mut().enumerate() {
                *score = dot::<A>(query, keys.row(seen.start + j));
            }
            let m = max(weights);
            let (o, rest) = partial.split_at_mut(head_dim);
            o.fill(0.0);
            let mut sum = 0.0;
            for (j, weight) in weights.iter_mut().enumerate() {
                *weight = exp::<A>(*weight - m);
                sum += *weight;
                for (o, v) in o.iter_mut().zip(values.row(seen.start + j)) {
                    *o = A::mul_add(*weight, *v, *o);
                }
            }
            rest.copy_from_slice(&[m, sum]);
        }
    }
}

/// Puts together what one query took from all blocks.
fn combine<'a>(isa: Isa, blocks: impl Iterator<Item = &'a [f32]> + Clone, out: &mut [f32]) {
    let head_dim = out.len();
    let largest = blocks.clone().map(|block| block[head_dim]).fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    out.fill(0.0);
    for block in blocks {
        // A block of later keys alone has m = −∞ and zeros.
        let factor = if block[head_dim] == f32::NEG_INFINITY { 1.0 } else { (block[head_dim] - largest).exp() };
        sum += factor * block[head_dim + 1];
        out.iter_mut().zip(block).for_each(|(out, o)| *out += factor * o);
    }
    scale_rows(isa, MatrixMut::new(out, head_dim), &[1.0 / sum]);
}
// ANCHOR_END: few

// ANCHOR: many
fn forward_many(
    isa: Isa,
    precision: Precision,
    shape: CachedShape,
    queries: &[f32],
    cache: Cache<'_>,
    out: &mut [f32],
) {
    let CachedShape { q_len, kv_len, n_heads, n_kv_heads, head_dim, .. } = shape;
    let (start, group) = (kv_len - q_len, n_heads / n_kv_heads);
    let n_scores = q_len.min(QUERY_BLOCK) * kv_len.min(KEY_BLOCK);
    // One task for each query head of each sequence.
    MatrixMut::new(out, n_heads * head_dim)
        .split(q_len, head_dim)
        .into_par_iter()
        .zip(queries.par_chunks_exact(q_len * head_dim))
        .enumerate()
        .for_each_init(
            || vec![0.0; n_scores],
            |scores, (head, (mut out, queries))| {
                let (keys, values) = cache.head(shape, head / group);
                for positions in query_blocks(start, kv_len) {
                    let rows = positions.start - start..positions.end - start;
                    let queries = Matrix::new(queries, head_dim).rows(rows.clone());
                    see_keys(isa, precision, queries, positions.start, keys, values, scores, out.rows_mut(rows));
                }
            },
        );
}

/// start..end in ranges that reach to the next multiple of [`QUERY_BLOCK`]: a block of keys that one of these begins no later than its first query.
fn query_blocks(start: usize, end: usize) -> impl Iterator<Item = Range<usize>> {
    let next = move |position: usize| end.min((position + 1).next_multiple_of(QUERY_BLOCK));
    std::iter::successors(Some(start..next(start)), move |block| (block.end < end).then(|| block.end..next(block.end)))
}
// ANCHOR_END: many
