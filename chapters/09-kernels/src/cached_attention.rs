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
//!
//! Sequences of different lengths lie side by side with padding in front, which a [`Mask`] for each of them hides, as it does what lies before a window.

use std::ops::Range;

use rayon::prelude::*;

use crate::Isa;
use crate::attention::{KEY_BLOCK, QUERY_BLOCK, see_keys};
use crate::isa::per_isa;
use crate::lanes::{dot, exp, max};
use crate::mask::{Mask, Tile};
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
    /// What the queries of each sequence see.
    pub masks: &'a [Mask],
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
    assert_eq!(cache.masks.len(), batch, "masks of {shape:?}");
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
        see_block(isa, queries, q_len, cache.masks[head / n_kv_heads], keys, values, seen, partial);
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
    /// What the rows of `queries` take from the keys `seen`. The rows are those of `q_len` new tokens for one head after the other.
    fn see_block<A>(
        queries: &[f32],
        q_len: usize,
        mask: Mask,
        keys: Matrix<'_>,
        values: Matrix<'_>,
        seen: Range<usize>,
        partial: &mut [f32],
    ) {
        let (kv_len, head_dim) = (keys.n_rows(), keys.n_cols());
        let rows = queries.chunks_exact(head_dim).zip(partial.chunks_exact_mut(head_dim + 2));
        for (row, (query, partial)) in rows.enumerate() {
            let (first_query, first_key) = (kv_len - q_len, seen.start);
            let visible = Tile { mask, first_query, first_key, n_keys: seen.len() }.visible(row % q_len);
            let first = first_key + visible.start;
            let mut weights = [0.0; KEYS_PER_TASK];
            let weights = &mut weights[..visible.len()];
            for (j, score) in weights.iter_mut().enumerate() {
                *score = dot::<A>(query, keys.row(first + j));
            }
            let m = max(weights);
            let (o, rest) = partial.split_at_mut(head_dim);
            o.fill(0.0);
            let mut sum = 0.0;
            for (j, weight) in weights.iter_mut().enumerate() {
                *weight = exp::<A>(*weight - m);
                sum += *weight;
                for (o, v) in o.iter_mut().zip(values.row(first + j)) {
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
        // A block of which nothing is seen has m = −∞ and zeros.
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
                let mask = cache.masks[head / n_heads];
                for positions in query_blocks(start, kv_len) {
                    let rows = positions.start - start..positions.end - start;
                    let queries = Matrix::new(queries, head_dim).rows(rows.clone());
                    let (first, out) = (positions.start, out.rows_mut(rows));
                    see_keys((isa, precision), mask, queries, first, keys, values, scores, out);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::numbers;

    /// A few queries and many; alone, at the end of a past, across the edges of blocks of keys and of queries.
    const SHAPES: [(usize, usize, usize, usize, usize, usize); 13] = [
        // batch, q_len, kv_len, n_heads, n_kv_heads, head_dim
        (1, 1, 1, 1, 1, 2),
        (1, 1, 65, 3, 1, 6),
        (2, 1, 200, 6, 2, 20),
        (1, 1, KEYS_PER_TASK, 9, 3, 64),
        (2, FEW, FEW, 2, 2, 6),
        (1, 3, KEYS_PER_TASK + 1, 4, 2, 16),
        (3, 2, 130, 2, 1, 34),
        (1, FEW + 1, FEW + 1, 2, 1, 6),
        (2, 17, 30, 4, 2, 20),
        (1, QUERY_BLOCK, QUERY_BLOCK + 1, 1, 1, 4),
        (1, 2 * QUERY_BLOCK + 3, 2 * QUERY_BLOCK + 3, 2, 1, 6),
        (1, 100, KEY_BLOCK + 50, 3, 1, 4),
        (1, KEY_BLOCK + 10, 2 * KEY_BLOCK + 7, 1, 1, 2),
    ];

    struct Case {
        shape: CachedShape,
        queries: Vec<f32>,
        keys: Vec<f32>,
        values: Vec<f32>,
        head_stride: usize,
        masks: Vec<Mask>,
    }

    /// Every shape with all keys, with a window, with padding in front of all sequences but the first, and with both.
    fn cases() -> impl Iterator<Item = Case> {
        let restrictions = [(usize::MAX, 0), (1, 0), (70, 0), (usize::MAX, 40), (90, 30), (KEY_BLOCK, KEY_BLOCK + 3)];
        SHAPES.into_iter().flat_map(move |sizes| {
            restrictions.map(|(window, n_padding)| {
                let masks = (0..sizes.0).map(|sequence| Mask { window, n_padding: n_padding * sequence.min(1) });
                Case { masks: masks.collect(), ..case(sizes) }
            })
        })
    }

    /// A cache with room for three more tokens, which hold what no result may see.
    fn case((batch, q_len, kv_len, n_heads, n_kv_heads, head_dim): (usize, usize, usize, usize, usize, usize)) -> Case {
        let shape = CachedShape { batch, q_len, kv_len, n_heads, n_kv_heads, head_dim };
        let head_stride = (kv_len + 3) * head_dim;
        let buffer = |seed| {
            let mut numbers = numbers(batch * n_kv_heads * head_stride, seed, 2.0);
            numbers.chunks_mut(head_stride).for_each(|head| head[kv_len * head_dim..].fill(f32::NAN));
            numbers
        };
        let queries = numbers(batch * n_heads * q_len * head_dim, 1, 2.0);
        Case { shape, queries, keys: buffer(2), values: buffer(3), head_stride, masks: vec![Mask::CAUSAL; batch] }
    }

    fn run(isa: Isa, precision: Precision, case: &Case) -> Vec<f32> {
        let mut out = vec![f32::NAN; case.queries.len()];
        let Case { keys, values, head_stride, masks, .. } = case;
        let cache = Cache { keys, values, head_stride: *head_stride, masks };
        forward(isa, precision, case.shape, &case.queries, cache, &mut out);
        out
    }

    /// Straight from the definition, in f64.
    fn naive(case: &Case) -> Vec<f64> {
        let CachedShape { batch, q_len, kv_len, n_heads, n_kv_heads, head_dim } = case.shape;
        let mut out = Vec::new();
        for sequence in 0..batch {
            for query in 0..q_len {
                for head in 0..n_heads {
                    let kv_head = sequence * n_kv_heads + head / (n_heads / n_kv_heads);
                    let q = &case.queries[((sequence * n_heads + head) * q_len + query) * head_dim..][..head_dim];
                    let row = |data: &'_ [f32], j: usize| -> Vec<f64> {
                        let row = &data[kv_head * case.head_stride + j * head_dim..][..head_dim];
                        row.iter().map(|x| f64::from(*x)).collect()
                    };
                    let visible = case.masks[sequence].keys(kv_len - q_len + query);
                    let score = |j| row(&case.keys, j).iter().zip(q).map(|(k, q)| k * f64::from(*q)).sum::<f64>();
                    let scores: Vec<f64> = visible.clone().map(score).collect();
                    let max = scores.iter().copied().fold(f64::MIN, f64::max);
                    let weights: Vec<f64> = scores.iter().map(|score| (score - max).exp()).collect();
                    let total: f64 = weights.iter().sum();
                    let mut o = vec![0.0; head_dim];
                    for (j, weight) in visible.zip(&weights) {
                        o.iter_mut().zip(row(&case.values, j)).for_each(|(o, v)| *o += weight / total * v);
                    }
                    out.extend(o);
                }
            }
        }
        out
    }

    #[test]
    fn every_shape_is_the_definition_at_every_level() {
        for case in cases() {
            let truth = naive(&case);
            for &isa in Isa::available() {
                for (i, (found, truth)) in run(isa, Precision::F32, &case).iter().zip(&truth).enumerate() {
                    // Scores up to 100, exact to 10⁻⁵, in an exponent; then means of values up to 2.
                    assert!(
                        (f64::from(*found) - truth).abs() < 1e-4,
                        "{isa} {:?} {:?} {i}: {found}, not {truth}",
                        case.shape,
                        case.masks
                    );
                }
            }
        }
    }

    #[test]
    fn a_few_queries_are_exact_in_bf16_too() {
        for sizes in SHAPES {
            let case = case(sizes);
            let are_same = run(Isa::best(), Precision::F32, &case) == run(Isa::best(), Precision::Bf16, &case);
            assert_eq!(are_same, sizes.1 <= FEW, "{sizes:?}");
        }
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        for case in cases() {
            let of = |n_threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
                pool.install(|| run(Isa::best(), Precision::F32, &case))
            };
            assert_eq!(of(1), of(3), "{:?} {:?}", case.shape, case.masks);
        }
    }

    #[test]
    fn scores_far_apart_do_not_overflow_and_nan_stays() {
        for sizes in [(1, 1, 200, 1, 1, 2), (1, 10, 200, 1, 1, 2)] {
            let mut case = case(sizes);
            for (j, key) in case.keys.chunks_mut(2).take(200).enumerate() {
                key.fill(if j == 150 { 1e4 } else { -1e4 });
            }
            case.queries.fill(1.0);
            let expected = case.values[2 * 150..][..2].to_vec();
            assert_eq!(run(Isa::best(), Precision::F32, &case)[..2], expected[..]);
            case.keys[2 * 70] = f32::NAN;
            assert!(run(Isa::best(), Precision::F32, &case).iter().all(|x| x.is_nan()));
        }
    }

    #[test]
    #[should_panic(expected = "not a shape")]
    fn more_queries_than_keys_are_refused() {
        let shape = CachedShape { batch: 1, q_len: 2, kv_len: 1, n_heads: 1, n_kv_heads: 1, head_dim: 2 };
        let cache = Cache { keys: &[0.0; 2], values: &[0.0; 2], head_stride: 2, masks: &[Mask::CAUSAL] };
        forward(Isa::PORTABLE, Precision::F32, shape, &[0.0; 4], cache, &mut [0.0; 4]);
    }
}
