//! Causal attention with rotary positions and grouped queries, forward and backward, in blocks: a matrix of T × T scores never exists
//! (FlashAttention-2: Dao 2023, arXiv 2307.08691, section 3).
//!
//! With rotated queries and keys, the former divided by $\sqrt{d}$, scores are $S = Q K^\top$, weights $P = \operatorname{softmax}(S)$ row by row,
//! and the output is $O = P V$. A block of queries goes through the keys block by block, as [`online_softmax`](crate::online_softmax) allows. Of the
//! scores remains $L = \ln \sum_j e^{s_j}$ of each row.
//!
//! Backward computes the scores again, and from $L$ the weights $P = e^{S - L}$. With the gradient $dO$ of the output and one number a row,
//! $D_i = \sum_j P_{ij}\, dP_{ij} = \sum_c O_{ic}\, dO_{ic}$,
//! $$dV = P^\top dO, \quad dP = dO\, V^\top, \quad dS = P \circ (dP - D), \quad dQ = dS\, K, \quad dK = dS^\top Q.$$
//! The rotation is undone on $dQ$ and $dK$.
//!
//! A query sees no later key, and none that a sliding window or padding hides ([`Mask`]): blocks of keys that no query of a block sees are not
//! computed, and in the others what is not seen has weight zero. Zero times NaN is NaN, so a NaN among the values may reach other queries of its block.

use std::ops::Range;

use rayon::prelude::*;

use crate::Isa;
use crate::isa::per_isa;
use crate::lanes::dot;
use crate::mask::{Mask, Tile};
use crate::matmul::{Precision, Threads, Write, matmul};
use crate::matrix::{Matrix, MatrixMut};
use crate::online_softmax::{scale_rows, softmax_rows, softmax_rows_backward};
use crate::packed::{Heads, HeadsMut, window};
use crate::rope::{Tables, rotate, rotate_back};

pub use crate::packed::Shape;

/// Queries of a block: more would compute more scores above the diagonal, fewer would read the keys more often.
pub const QUERY_BLOCK: usize = 64;

/// Keys of a block: its scores and their gradients stay in the second-level cache.
pub const KEY_BLOCK: usize = 512;

/// What a layer is computed with.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'a> {
    /// Instructions.
    pub isa: Isa,
    /// That of the factors of products.
    pub precision: Precision,
    /// Sizes.
    pub shape: Shape,
    /// Rotary tables of the `seq_len` positions.
    pub tables: Tables<'a>,
    /// Who sees what, in every sequence.
    pub mask: Mask,
}

// ANCHOR: forward
/// Writes the attention of the packed `qkv` `(batch · seq_len, (n_heads + 2 · n_kv_heads) · head_dim)` to `out`
/// `(batch · seq_len, n_heads · head_dim)`, and ln Σ eˢ of each row of scores to `log_sum_exp` `(batch, n_heads, seq_len)`.
///
/// # Panics
/// If the shape is not valid or the lengths do not fit.
pub fn forward(settings: Settings<'_>, qkv: &[f32], out: &mut [f32], log_sum_exp: &mut [f32]) {
    settings.validate();
    let shape = settings.shape;
    check_lengths(shape, qkv, out, log_sum_exp);
    let Shape { seq_len, n_heads, n_kv_heads, head_dim, .. } = shape;
    // One task for each key-value head of each sequence.
    MatrixMut::new(out, n_heads * head_dim)
        .split(seq_len, head_dim)
        .par_chunks_mut(shape.group())
        .zip(log_sum_exp.par_chunks_mut(shape.group() * seq_len))
        .enumerate()
        .for_each_init(
            || Scratch::new(shape),
            |scratch, (task, (out, log_sum_exp))| {
                let heads = Heads::new(shape, qkv, task / n_kv_heads, task % n_kv_heads);
                scratch.load(settings, &heads);
                for ((queries, out), log_sum_exp) in heads.queries.iter().zip(out).zip(log_sum_exp.chunks_mut(seq_len))
                {
                    forward_head(settings, *queries, scratch, out, log_sum_exp);
                }
            },
        );
}

/// One query head; keys and values are in `scratch`.
fn forward_head(
    settings: Settings<'_>,
    queries: Matrix<'_>,
    scratch: &mut Scratch,
    out: &mut MatrixMut<'_>,
    log_sum_exp: &mut [f32],
) {
    let Settings { shape: Shape { seq_len, head_dim, .. }, mask, .. } = settings;
    for rows in Mask::CAUSAL.blocks(0..seq_len, QUERY_BLOCK) {
        let block = &mut scratch.queries[..rows.len() * head_dim];
        settings.rotate(queries, rows.clone(), settings.scale(), block);
        let (keys, values) = (Matrix::new(&scratch.keys, head_dim), Matrix::new(&scratch.values, head_dim));
        let (block, out) = (Matrix::new(block, head_dim), out.rows_mut(rows.clone()));
        let products = (settings.isa, settings.precision);
        let (max, sum) = see_keys(products, mask, block, rows.start, keys, values, &mut scratch.scores, out);
        for (i, row) in rows.enumerate() {
            log_sum_exp[row] = max[i] + sum[i].ln();
        }
    }
}

/// Writes what at most [`QUERY_BLOCK`] queries, the first of which stands at position `first`, take from the keys that they see, and returns m and ℓ of each.
#[allow(clippy::too_many_arguments)]
pub(crate) fn see_keys(
    (isa, precision): (Isa, Precision),
    mask: Mask,
    queries: Matrix<'_>,
    first: usize,
    keys: Matrix<'_>,
    values: Matrix<'_>,
    scores: &mut [f32],
    mut out: MatrixMut<'_>,
) -> ([f32; QUERY_BLOCK], [f32; QUERY_BLOCK]) {
    let n_rows = queries.n_rows();
    let (mut max, mut sum, mut factor) = ([f32::NEG_INFINITY; QUERY_BLOCK], [0.0; QUERY_BLOCK], [0.0; QUERY_BLOCK]);
    let mut write = Write::Replace;
    for cols in mask.blocks(first..first + n_rows, KEY_BLOCK) {
        let n_keys = cols.len();
        let tile = Tile { mask, first_query: first, first_key: cols.start, n_keys };
        let (keys, values) = (keys.rows(cols.clone()), values.rows(cols.clone()));
        let scores = &mut scores[..n_rows * n_keys];
        let weights = MatrixMut::new(scores, n_keys);
        matmul(isa, precision, Threads::One, Write::Replace, queries, keys.transposed(), weights);
        softmax_rows(isa, scores, n_keys, &|row| tile.visible(row), &mut max, &mut sum, &mut factor);
        if write == Write::Add {
            scale_rows(isa, out.reborrow(), &factor);
        }
        matmul(isa, precision, Threads::One, write, Matrix::new(scores, n_keys), values, out.reborrow());
        write = Write::Add;
    }
    scale_rows(isa, out, &sum.map(|sum| 1.0 / sum));
    (max, sum)
}
// ANCHOR_END: forward

// ANCHOR: backward
/// What forward was given and what it wrote; shapes as in [`forward`].
#[derive(Debug, Clone, Copy)]
pub struct Saved<'a> {
    /// The packed input.
    pub qkv: &'a [f32],
    /// The output.
    pub out: &'a [f32],
    /// ln Σ eˢ of each row of scores.
    pub log_sum_exp: &'a [f32],
}

/// Writes the gradient of `qkv` to `d_qkv`, all of it; `d_out` is that of the output.
///
/// # Panics
/// If the shape is not valid or the lengths do not fit.
pub fn backward(settings: Settings<'_>, saved: Saved<'_>, d_out: &[f32], d_qkv: &mut [f32]) {
    settings.validate();
    let Settings { isa, shape, tables, .. } = settings;
    check_lengths(shape, saved.qkv, saved.out, saved.log_sum_exp);
    check_lengths(shape, d_qkv, d_out, saved.log_sum_exp);
    let Shape { n_kv_heads, head_dim, .. } = shape;
    let mut d_heads = HeadsMut::new(shape, d_qkv);
    // One task for each key-value head of each sequence: its gradients are sums over the query heads that share it, in their order.
    (d_heads.queries.par_chunks_mut(shape.group()))
        .zip(d_heads.keys.par_iter_mut().zip(&mut d_heads.values))
        .enumerate()
        .for_each_init(
            || Scratch::new(shape),
            |scratch, (task, (d_queries, (d_keys, d_values)))| {
                let heads = Heads::new(shape, saved.qkv, task / n_kv_heads, task % n_kv_heads);
                scratch.load(settings, &heads);
                scratch.d_keys.fill(0.0);
                scratch.d_values.fill(0.0);
                for (i, (queries, d_queries)) in heads.queries.iter().zip(d_queries).enumerate() {
                    let head = QueryHead::new(shape, *queries, saved, d_out, task * shape.group() + i);
                    backward_head(settings, head, scratch, d_queries);
                    rotate_back(isa, d_queries.reborrow(), tables, settings.scale());
                }
                copy_rows(Matrix::new(&scratch.d_keys, head_dim), d_keys);
                copy_rows(Matrix::new(&scratch.d_values, head_dim), d_values);
                rotate_back(isa, d_keys.reborrow(), tables, 1.0);
            },
        );
}

/// Writes the gradient of the rotated and scaled queries of one head to `d_queries` and adds to those of its keys and values in `scratch`.
fn backward_head(settings: Settings<'_>, head: QueryHead<'_>, scratch: &mut Scratch, d_queries: &mut MatrixMut<'_>) {
    let Settings { isa, shape: Shape { seq_len, head_dim, .. }, mask, .. } = settings;
    for rows in Mask::CAUSAL.blocks(0..seq_len, QUERY_BLOCK) {
        let queries = &mut scratch.queries[..rows.len() * head_dim];
        settings.rotate(head.queries, rows.clone(), settings.scale(), queries);
        let queries = Matrix::new(queries, head_dim);
        let d_out = head.d_out.rows(rows.clone());
        let mut delta = [0.0; QUERY_BLOCK];
        dot_rows(isa, head.out.rows(rows.clone()), d_out, &mut delta);
        let mut d_queries = d_queries.rows_mut(rows.clone());
        let mut write = Write::Replace;
        for cols in mask.blocks(rows.clone(), KEY_BLOCK) {
            let n_keys = cols.len();
            let tile = Tile { mask, first_query: rows.start, first_key: cols.start, n_keys };
            let keys = Matrix::new(&scratch.keys, head_dim).rows(cols.clone());
            let values = Matrix::new(&scratch.values, head_dim).rows(cols.clone());
            let weights = &mut scratch.scores[..rows.len() * n_keys];
            let d_scores = &mut scratch.d_scores[..rows.len() * n_keys];
            settings.matmul(Write::Replace, queries, keys.transposed(), MatrixMut::new(weights, n_keys));
            settings.matmul(Write::Replace, d_out, values.transposed(), MatrixMut::new(d_scores, n_keys));
            let log_sum_exp = &head.log_sum_exp[rows.clone()];
            softmax_rows_backward(isa, weights, d_scores, n_keys, &|row| tile.visible(row), log_sum_exp, &delta);
            let (weights, d_scores) = (Matrix::new(weights, n_keys), Matrix::new(d_scores, n_keys));
            let mut d_values = MatrixMut::new(&mut scratch.d_values, head_dim);
            settings.matmul(Write::Add, weights.transposed(), d_out, d_values.rows_mut(cols.clone()));
            let mut d_keys = MatrixMut::new(&mut scratch.d_keys, head_dim);
            settings.matmul(Write::Add, d_scores.transposed(), queries, d_keys.rows_mut(cols.clone()));
            settings.matmul(write, d_scores, keys, d_queries.reborrow());
            write = Write::Add;
        }
    }
}

per_isa! {
    /// Σ aᵢ bᵢ of each row.
    fn dot_rows<A>(a: Matrix<'_>, b: Matrix<'_>, sums: &mut [f32]) {
        for (i, sum) in sums[..a.n_rows()].iter_mut().enumerate() {
            *sum = dot::<A>(a.row(i), b.row(i));
        }
    }
}
// ANCHOR_END: backward

fn check_lengths(shape: Shape, qkv: &[f32], out: &[f32], log_sum_exp: &[f32]) {
    let Shape { n_heads, head_dim, .. } = shape;
    assert_eq!(qkv.len(), shape.n_rows() * shape.n_packed() * head_dim, "queries, keys and values of {shape:?}");
    assert_eq!(out.len(), shape.n_rows() * n_heads * head_dim, "output of {shape:?}");
    assert_eq!(log_sum_exp.len(), shape.n_rows() * n_heads, "log_sum_exp of {shape:?}");
}

impl Settings<'_> {
    fn validate(&self) {
        let Self { shape, tables, .. } = self;
        shape.validate();
        let n = shape.seq_len * shape.head_dim / 2;
        assert!(tables.cos.len() == n && tables.sin.len() == n, "rotary tables of {shape:?}");
    }

    fn matmul(&self, write: Write, a: Matrix<'_>, b: Matrix<'_>, out: MatrixMut<'_>) {
        matmul(self.isa, self.precision, Threads::One, write, a, b, out);
    }

    /// 1 / √head_dim. The queries are multiplied by it, which is less work than to multiply the scores.
    fn scale(&self) -> f32 {
        1.0 / (self.shape.head_dim as f32).sqrt()
    }

    /// `rotated` = `scale` times the rows of `x` at these positions, rotated.
    fn rotate(&self, x: Matrix<'_>, positions: Range<usize>, scale: f32, rotated: &mut [f32]) {
        let tables = self.tables.positions(positions.clone(), self.shape.head_dim);
        rotate(self.isa, x.rows(positions), tables, scale, rotated);
    }
}

/// What backward reads of one query head: `(seq_len, head_dim)` each, `log_sum_exp` `(seq_len)`.
#[derive(Clone, Copy)]
struct QueryHead<'a> {
    queries: Matrix<'a>,
    out: Matrix<'a>,
    d_out: Matrix<'a>,
    log_sum_exp: &'a [f32],
}

impl<'a> QueryHead<'a> {
    /// Head number `number`, counted through all sequences.
    fn new(shape: Shape, queries: Matrix<'a>, saved: Saved<'a>, d_out: &'a [f32], number: usize) -> Self {
        let Shape { seq_len, n_heads, .. } = shape;
        let head = |data| window(data, shape, n_heads, number / n_heads, number % n_heads);
        let log_sum_exp = &saved.log_sum_exp[number * seq_len..][..seq_len];
        Self { queries, out: head(saved.out), d_out: head(d_out), log_sum_exp }
    }
}

/// Memory of one task at a time. It grows with the sequence as the input does, not with its square.
struct Scratch {
    /// Rotated keys, values and the gradients of both: `(seq_len, head_dim)`.
    keys: Vec<f32>,
    values: Vec<f32>,
    d_keys: Vec<f32>,
    d_values: Vec<f32>,
    /// Rotated and scaled queries of a block: `(QUERY_BLOCK, head_dim)`.
    queries: Vec<f32>,
    /// At most `(QUERY_BLOCK, KEY_BLOCK)`.
    scores: Vec<f32>,
    d_scores: Vec<f32>,
}

impl Scratch {
    fn new(shape: Shape) -> Self {
        let Shape { seq_len, head_dim, .. } = shape;
        let rows = || vec![0.0; seq_len * head_dim];
        let scores = || vec![0.0; seq_len.min(QUERY_BLOCK) * seq_len.min(KEY_BLOCK)];
        Self {
            keys: rows(),
            values: rows(),
            d_keys: rows(),
            d_values: rows(),
            queries: vec![0.0; seq_len.min(QUERY_BLOCK) * head_dim],
            scores: scores(),
            d_scores: scores(),
        }
    }

    /// Rotates the keys and copies the values: each block of queries reads them again, and rows side by side are read faster.
    fn load(&mut self, settings: Settings<'_>, heads: &Heads<'_>) {
        let Shape { seq_len, head_dim, .. } = settings.shape;
        settings.rotate(heads.keys, 0..seq_len, 1.0, &mut self.keys);
        copy_rows(heads.values, &mut MatrixMut::new(&mut self.values, head_dim));
    }
}

fn copy_rows(from: Matrix<'_>, to: &mut MatrixMut<'_>) {
    for i in 0..from.n_rows() {
        to.row_mut(i).copy_from_slice(from.row(i));
    }
}

#[cfg(test)]
mod tests;
