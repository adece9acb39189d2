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
//! A query sees no later key: blocks of keys after a block of queries are not computed, and in the block on the diagonal a later key has weight zero.
//! Zero times NaN is NaN, so a NaN among the values may reach earlier queries of its block.

use std::ops::Range;

use rayon::prelude::*;

use crate::Isa;
use crate::isa::per_isa;
use crate::lanes::dot;
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

// A block of keys that a block of queries reaches then begins no later than these queries: each of them sees a key of it.
const _: () = assert!(KEY_BLOCK.is_multiple_of(QUERY_BLOCK));

// ANCHOR: forward
/// Writes the attention of the packed `qkv` `(batch · seq_len, (n_heads + 2 · n_kv_heads) · head_dim)` to `out`
/// `(batch · seq_len, n_heads · head_dim)`, and ln Σ eˢ of each row of scores to `log_sum_exp` `(batch, n_heads, seq_len)`. `tables` are those of the
/// `seq_len` positions.
///
/// # Panics
/// If the shape is not valid or the lengths do not fit.
pub fn forward(
    isa: Isa,
    precision: Precision,
    shape: Shape,
    tables: Tables<'_>,
    qkv: &[f32],
    out: &mut [f32],
    log_sum_exp: &mut [f32],
) {
    let settings = Settings::new(isa, precision, shape, tables);
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
                scratch.load(&settings, &heads);
                for ((queries, out), log_sum_exp) in heads.queries.iter().zip(out).zip(log_sum_exp.chunks_mut(seq_len))
                {
                    forward_head(&settings, *queries, scratch, out, log_sum_exp);
                }
            },
        );
}

/// One query head; keys and values are in `scratch`.
fn forward_head(
    settings: &Settings<'_>,
    queries: Matrix<'_>,
    scratch: &mut Scratch,
    out: &mut MatrixMut<'_>,
    log_sum_exp: &mut [f32],
) {
    let Settings { isa, shape: Shape { seq_len, head_dim, .. }, .. } = *settings;
    for rows in blocks(seq_len, QUERY_BLOCK) {
        let block = &mut scratch.queries[..rows.len() * head_dim];
        settings.rotate(queries, rows.clone(), settings.scale(), block);
        let (keys, values) = (Matrix::new(&scratch.keys, head_dim), Matrix::new(&scratch.values, head_dim));
        let (block, out) = (Matrix::new(block, head_dim), out.rows_mut(rows.clone()));
        let (max, sum) = see_keys(isa, settings.precision, block, rows.start, keys, values, &mut scratch.scores, out);
        for (i, row) in rows.enumerate() {
            log_sum_exp[row] = max[i] + sum[i].ln();
        }
    }
}

/// Writes what at most [`QUERY_BLOCK`] queries, the first of which stands at position `first`, take from the keys up to their own, and returns m and ℓ of each.
/// No multiple of [`QUERY_BLOCK`] may lie between two of them.
#[allow(clippy::too_many_arguments)]
pub(crate) fn see_keys(
    isa: Isa,
    precision: Precision,
    queries: Matrix<'_>,
    first: usize,
    keys: Matrix<'_>,
    values: Matrix<'_>,
    scores: &mut [f32],
    mut out: MatrixMut<'_>,
) -> ([f32; QUERY_BLOCK], [f32; QUERY_BLOCK]) {
    let n_rows = queries.n_rows();
    let (mut max, mut sum, mut factor) = ([f32::NEG_INFINITY; QUERY_BLOCK], [0.0; QUERY_BLOCK], [0.0; QUERY_BLOCK]);
    for cols in blocks(first + n_rows, KEY_BLOCK) {
        let n_keys = cols.len();
        let n_visible = first + 1 - cols.start;
        let (keys, values) = (keys.rows(cols.clone()), values.rows(cols.clone()));
        let scores = &mut scores[..n_rows * n_keys];
        let weights = MatrixMut::new(scores, n_keys);
        matmul(isa, precision, Threads::One, Write::Replace, queries, keys.transposed(), weights);
        softmax_rows(isa, scores, n_keys, n_visible, &mut max, &mut sum, &mut factor);
        let write = if cols.start == 0 {
            Write::Replace
        } else {
            scale_rows(isa, out.reborrow(), &factor);
            Write::Add
        };
        matmul(isa, precision, Threads::One, write, Matrix::new(scores, n_keys), values, out.reborrow());
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
pub fn backward(
    isa: Isa,
    precision: Precision,
    shape: Shape,
    tables: Tables<'_>,
    saved: Saved<'_>,
    d_out: &[f32],
    d_qkv: &mut [f32],
) {
    let settings = Settings::new(isa, precision, shape, tables);
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
                scratch.load(&settings, &heads);
                scratch.d_keys.fill(0.0);
                scratch.d_values.fill(0.0);
                for (i, (queries, d_queries)) in heads.queries.iter().zip(d_queries).enumerate() {
                    let head = QueryHead::new(shape, *queries, saved, d_out, task * shape.group() + i);
                    backward_head(&settings, head, scratch, d_queries);
                    rotate_back(isa, d_queries.reborrow(), tables, settings.scale());
                }
                copy_rows(Matrix::new(&scratch.d_keys, head_dim), d_keys);
                copy_rows(Matrix::new(&scratch.d_values, head_dim), d_values);
                rotate_back(isa, d_keys.reborrow(), tables, 1.0);
            },
        );
}

/// Writes the gradient of the rotated and scaled queries of one head to `d_queries` and adds to those of its keys and values in `scratch`.
fn backward_head(settings: &Settings<'_>, head: QueryHead<'_>, scratch: &mut Scratch, d_queries: &mut MatrixMut<'_>) {
    let Settings { isa, shape: Shape { seq_len, head_dim, .. }, .. } = *settings;
    for rows in blocks(seq_len, QUERY_BLOCK) {
        let queries = &mut scratch.queries[..rows.len() * head_dim];
        settings.rotate(head.queries, rows.clone(), settings.scale(), queries);
        let queries = Matrix::new(queries, head_dim);
        let d_out = head.d_out.rows(rows.clone());
        let mut delta = [0.0; QUERY_BLOCK];
        dot_rows(isa, head.out.rows(rows.clone()), d_out, &mut delta);
        let mut d_queries = d_queries.rows_mut(rows.clone());
        for cols in blocks(rows.end, KEY_BLOCK) {
            let n_keys = cols.len();
            let n_visible = rows.start + 1 - cols.start;
            let keys = Matrix::new(&scratch.keys, head_dim).rows(cols.clone());
            let values = Matrix::new(&scratch.values, head_dim).rows(cols.clone());
            let weights = &mut scratch.scores[..rows.len() * n_keys];
            let d_scores = &mut scratch.d_scores[..rows.len() * n_keys];
            settings.matmul(Write::Replace, queries, keys.transposed(), MatrixMut::new(weights, n_keys));
            settings.matmul(Write::Replace, d_out, values.transposed(), MatrixMut::new(d_scores, n_keys));
            let log_sum_exp = &head.log_sum_exp[rows.clone()];
            softmax_rows_backward(isa, weights, d_scores, n_keys, n_visible, log_sum_exp, &delta);
            let (weights, d_scores) = (Matrix::new(weights, n_keys), Matrix::new(d_scores, n_keys));
            let mut d_values = MatrixMut::new(&mut scratch.d_values, head_dim);
            settings.matmul(Write::Add, weights.transposed(), d_out, d_values.rows_mut(cols.clone()));
            let mut d_keys = MatrixMut::new(&mut scratch.d_keys, head_dim);
            settings.matmul(Write::Add, d_scores.transposed(), queries, d_keys.rows_mut(cols.clone()));
            let write = if cols.start == 0 { Write::Replace } else { Write::Add };
            settings.matmul(write, d_scores, keys, d_queries.reborrow());
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

/// 0..n in ranges of `size`, the last as long as it comes.
fn blocks(n: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    (0..n).step_by(size).map(move |start| start..n.min(start + size))
}

/// What every task needs to know.
struct Settings<'a> {
    isa: Isa,
    precision: Precision,
    shape: Shape,
    tables: Tables<'a>,
}

impl<'a> Settings<'a> {
    fn new(isa: Isa, precision: Precision, shape: Shape, tables: Tables<'a>) -> Self {
        shape.validate();
        let n = shape.seq_len * shape.head_dim / 2;
        assert!(tables.cos.len() == n && tables.sin.len() == n, "rotary tables of {shape:?}");
        Self { isa, precision, shape, tables }
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
    fn load(&mut self, settings: &Settings<'_>, heads: &Heads<'_>) {
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
mod tests {
    use super::*;

    /// A layer and its input: small odd sizes, whole and broken blocks of queries, and more than one block of keys.
    const SHAPES: [(usize, usize, usize, usize, usize); 9] = [
        // batch, seq_len, n_heads, n_kv_heads, head_dim
        (1, 1, 1, 1, 2),
        (3, 1, 3, 1, 6),
        (1, 17, 3, 1, 6),
        (3, 17, 2, 2, 20),
        (2, 100, 6, 2, 64),
        (1, 64, 1, 1, 128),
        (1, 65, 2, 1, 6),
        (1, KEY_BLOCK, 1, 1, 2),
        (1, KEY_BLOCK + QUERY_BLOCK + 5, 3, 1, 4),
    ];

    struct Case {
        shape: Shape,
        cos: Vec<f32>,
        sin: Vec<f32>,
        qkv: Vec<f32>,
        d_out: Vec<f32>,
    }

    /// Numbers of mean 0 and variance 1/3.
    fn noise(n: usize, seed: u64) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
        };
        (0..n).map(|_| next()).collect()
    }

    impl Case {
        fn new((batch, seq_len, n_heads, n_kv_heads, head_dim): (usize, usize, usize, usize, usize)) -> Self {
            let shape = Shape { batch, seq_len, n_heads, n_kv_heads, head_dim };
            let half = head_dim / 2;
            let angle = |i: usize| (i / half) as f64 * 100_f64.powf(-2.0 * (i % half) as f64 / head_dim as f64);
            Self {
                shape,
                cos: (0..seq_len * half).map(|i| angle(i).cos() as f32).collect(),
                sin: (0..seq_len * half).map(|i| angle(i).sin() as f32).collect(),
                // Twice the noise, for weights that are far from uniform.
                qkv: noise(shape.n_rows() * shape.n_packed() * head_dim, 1).iter().map(|x| 2.0 * x).collect(),
                d_out: noise(shape.n_rows() * n_heads * head_dim, 2),
            }
        }

        fn tables(&self) -> Tables<'_> {
            Tables { cos: &self.cos, sin: &self.sin }
        }

        /// Output, log-sum-exp and gradient into memory that held NaN.
        fn run(&self, isa: Isa, precision: Precision) -> [Vec<f32>; 3] {
            let mut out = vec![f32::NAN; self.d_out.len()];
            let mut log_sum_exp = vec![f32::NAN; self.shape.n_rows() * self.shape.n_heads];
            let mut d_qkv = vec![f32::NAN; self.qkv.len()];
            forward(isa, precision, self.shape, self.tables(), &self.qkv, &mut out, &mut log_sum_exp);
            let saved = Saved { qkv: &self.qkv, out: &out, log_sum_exp: &log_sum_exp };
            backward(isa, precision, self.shape, self.tables(), saved, &self.d_out, &mut d_qkv);
            [out, log_sum_exp, d_qkv]
        }

        /// Where head number `head` of a packed row begins.
        fn packed_at(&self, row: usize, head: usize) -> usize {
            (row * self.shape.n_packed() + head) * self.shape.head_dim
        }

        /// One head's numbers rotated by a position, or back for `direction` −1.
        fn rotated(&self, x: &[f64], position: usize, direction: f64) -> Vec<f64> {
            let half = self.shape.head_dim / 2;
            let mut y = vec![0.0; 2 * half];
            for i in 0..half {
                let cos = f64::from(self.cos[position * half + i]);
                let sin = f64::from(self.sin[position * half + i]) * direction;
                y[i] = x[i] * cos - x[half + i] * sin;
                y[half + i] = x[half + i] * cos + x[i] * sin;
            }
            y
        }

        /// Attention by its definition in f64: output, log-sum-exp and gradient of `qkv`, one query after the other.
        fn naive(&self, qkv: &[f64]) -> [Vec<f64>; 3] {
            let Shape { batch, seq_len, n_heads, n_kv_heads, head_dim } = self.shape;
            let scale = 1.0 / (head_dim as f64).sqrt();
            let head = |row: usize, head: usize| &qkv[self.packed_at(row, head)..][..head_dim];
            let mut out = vec![0.0; self.d_out.len()];
            let mut log_sum_exp = vec![0.0; self.shape.n_rows() * n_heads];
            let mut d_qkv = vec![0.0; qkv.len()];
            for (b, h) in (0..batch).flat_map(|b| (0..n_heads).map(move |h| (b, h))) {
                let (k, v) = (n_heads + h / self.shape.group(), n_heads + n_kv_heads + h / self.shape.group());
                let keys: Vec<_> = (0..seq_len).map(|j| self.rotated(head(b * seq_len + j, k), j, 1.0)).collect();
                for i in 0..seq_len {
                    let row = b * seq_len + i;
                    let query = self.rotated(head(row, h), i, 1.0);
                    let scores: Vec<f64> = keys[..=i].iter().map(|key| scale * dot(&query, key)).collect();
                    let max = scores.iter().copied().fold(f64::MIN, f64::max);
                    let sum: f64 = scores.iter().map(|s| (s - max).exp()).sum();
                    let lse = max + sum.ln();
                    log_sum_exp[(b * n_heads + h) * seq_len + i] = lse;
                    let d_out: Vec<f64> = (self.d_out[(row * n_heads + h) * head_dim..][..head_dim].iter())
                        .map(|x| f64::from(*x))
                        .collect();
                    let p: Vec<f64> = scores.iter().map(|s| (s - lse).exp()).collect();
                    let d_p: Vec<f64> = (0..=i).map(|j| dot(&d_out, head(b * seq_len + j, v))).collect();
                    let delta = dot(&p, &d_p);
                    let mut d_query = vec![0.0; head_dim];
                    for j in 0..=i {
                        let at = b * seq_len + j;
                        add(p[j], head(at, v), &mut out[(row * n_heads + h) * head_dim..][..head_dim]);
                        add(p[j], &d_out, &mut d_qkv[self.packed_at(at, v)..][..head_dim]);
                        let d_score = scale * p[j] * (d_p[j] - delta);
                        add(d_score, &keys[j], &mut d_query);
                        let d_key = self.rotated(&query, j, -1.0);
                        add(d_score, &d_key, &mut d_qkv[self.packed_at(at, k)..][..head_dim]);
                    }
                    let d_query = self.rotated(&d_query, i, -1.0);
                    add(1.0, &d_query, &mut d_qkv[self.packed_at(row, h)..][..head_dim]);
                }
            }
            [out, log_sum_exp, d_qkv]
        }

        fn naive_of_input(&self) -> [Vec<f64>; 3] {
            self.naive(&self.qkv.iter().map(|x| f64::from(*x)).collect::<Vec<_>>())
        }
    }

    fn dot(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    fn add(factor: f64, x: &[f64], y: &mut [f64]) {
        y.iter_mut().zip(x).for_each(|(y, x)| *y += factor * x);
    }

    /// The largest difference, as a part of the largest true value. A NaN is a difference of infinity.
    fn error(values: &[f32], truth: &[f64]) -> f64 {
        assert_eq!(values.len(), truth.len());
        if values.iter().any(|x| x.is_nan()) {
            return f64::INFINITY;
        }
        let size = truth.iter().fold(1e-3, |max: f64, x| max.max(x.abs()));
        values.iter().zip(truth).map(|(x, y)| (f64::from(*x) - y).abs() / size).fold(0.0, f64::max)
    }

    #[test]
    fn the_naive_gradient_is_that_of_finite_differences() {
        for shape in [(1, 4, 3, 1, 6), (2, 5, 2, 2, 2)] {
            let case = Case::new(shape);
            let qkv: Vec<f64> = case.qkv.iter().map(|x| f64::from(*x)).collect();
            let [_, _, gradient] = case.naive(&qkv);
            let d_out: Vec<f64> = case.d_out.iter().map(|x| f64::from(*x)).collect();
            let loss = |i: usize, step: f64| {
                let mut moved = qkv.clone();
                moved[i] += step;
                dot(&case.naive(&moved)[0], &d_out)
            };
            for (i, gradient) in gradient.iter().enumerate() {
                // A step h leaves an error of h² and one of 10⁻¹⁶ / h.
                let difference = (loss(i, 1e-5) - loss(i, -1e-5)) / 2e-5;
                assert!((difference - gradient).abs() < 1e-8, "{shape:?} {i}: {difference} {gradient}");
            }
        }
    }

    #[test]
    fn every_size_at_every_level() {
        // One thread, so that tasks find the memory that other tasks have used.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        for shape in SHAPES {
            let case = Case::new(shape);
            let truth = case.naive_of_input();
            for &isa in Isa::available() {
                let found = pool.install(|| case.run(isa, Precision::F32));
                // A score is a sum of products up to some tens, so its rounding is 10⁻⁶, and that of its weight as much.
                let errors: Vec<f64> = found.iter().zip(&truth).map(|(x, y)| error(x, y)).collect();
                assert!(errors.iter().all(|e| *e < 3e-6), "{isa} {shape:?}: {errors:?}");
            }
        }
    }

    #[test]
    fn bf16_is_as_exact_as_its_mantissa() {
        for shape in SHAPES {
            let case = Case::new(shape);
            let truth = case.naive_of_input();
            for &isa in Isa::available() {
                let found = case.run(isa, Precision::Bf16);
                // Factors are rounded by up to 2⁻⁹: scores of a few units move by some hundredths, and so do weights.
                let errors: Vec<f64> = found.iter().zip(&truth).map(|(x, y)| error(x, y)).collect();
                assert!(errors.iter().all(|e| *e < 0.02), "{isa} {shape:?}: {errors:?}");
            }
        }
    }

    #[test]
    fn threads_change_no_bit() {
        let case = Case::new((2, 100, 6, 2, 20));
        let run = |n_threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            pool.install(|| case.run(Isa::best(), Precision::F32))
                .map(|x| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>())
        };
        assert_eq!(run(1), run(3));
    }

    #[test]
    fn the_future_changes_nothing() {
        let mut case = Case::new((1, 100, 3, 1, 6));
        let [before, ..] = case.run(Isa::best(), Precision::F32);
        let first_changed = 70;
        let at = case.packed_at(first_changed, 0);
        case.qkv[at..].iter_mut().for_each(|x| *x = 50.0 - *x);
        // A gradient from the tokens before alone reaches no later token.
        let width = case.shape.n_heads * case.shape.head_dim;
        case.d_out[first_changed * width..].fill(0.0);
        let [after, _, d_qkv] = case.run(Isa::best(), Precision::F32);
        assert_eq!(before[..first_changed * width], after[..first_changed * width]);
        assert_ne!(before[first_changed * width..], after[first_changed * width..]);
        assert!(d_qkv[at..].iter().all(|d| *d == 0.0));
    }

    #[test]
    fn nan_reaches_what_depends_on_it() {
        let (seq_len, position) = (70, 40);
        for &isa in Isa::available() {
            // Heads of a packed row: two query heads, a key head, a value head.
            for head in 0..4 {
                let mut case = Case::new((1, seq_len, 2, 1, 6));
                let at = case.packed_at(position, head);
                case.qkv[at] = f32::NAN;
                let [out, ..] = case.run(isa, Precision::F32);
                let is_nan = |row: usize, head: usize| out[(row * 2 + head) * 6].is_nan();
                for row in 0..seq_len {
                    for query_head in 0..2 {
                        match head {
                            0 | 1 => assert_eq!(is_nan(row, query_head), row == position && query_head == head),
                            2 => assert_eq!(is_nan(row, query_head), row >= position),
                            _ => assert!(is_nan(row, query_head) || row < position),
                        }
                    }
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "rotary tables")]
    fn tables_of_another_length_are_refused() {
        let mut case = Case::new((1, 3, 1, 1, 2));
        case.cos.push(1.0);
        case.run(Isa::PORTABLE, Precision::F32);
    }

    #[test]
    #[should_panic(expected = "output")]
    fn an_output_of_another_length_is_refused() {
        let mut case = Case::new((1, 3, 1, 1, 2));
        case.d_out.pop();
        case.run(Isa::PORTABLE, Precision::F32);
    }
}
