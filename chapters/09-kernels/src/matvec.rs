//! Products of a matrix with one vector or a few: all that a model does for a token that it generates.
//!
//! $y_j = \sum_i w_{ji}\, x_i$ reads each weight once and does two FLOPs with it: half a FLOP per byte, far below any ridge. The time is that of reading
//! the weights, and a kernel is good if it reads at the speed of memory. The blocked product of [`matmul`](crate::matmul) is built for the opposite case: it
//! packs a block of the weights, writes it, and reads it back, so that many rows can use it. One row cannot pay for that.
//!
//! Here each row of the weight, `(d_out, d_in)`, is a sum of its own, and a task takes consecutive rows: the processor sees one long stream for each thread
//! and fetches ahead of it. (Four rows side by side, which hide the latency of additions, are slower by a third: their streams jump at each
//! fourth row, and what hides the latency of memory is the stream.) With up to [`MAX_ROWS`] vectors a row of the weight serves all of them.
//!
//! A sum does not depend on the rows beside it, nor on the threads. Weights are f32: rounding them to bfloat16 on the way would read as many bytes.

use std::hint::black_box;

use rayon::prelude::*;

use crate::Isa;
use crate::isa::{Arithmetic, per_isa};
use crate::lanes::{LANES, dot, sum_lanes};
use crate::matmul::Write;
use crate::matrix::{Matrix, MatrixMut};
use crate::swiglu::forward_row;

/// Vectors that one pass over the weight serves; with more, the blocked product is faster.
pub const MAX_ROWS: usize = 4;

/// Rows of the weight that one task reads: enough to outweigh the cost of handing it out, few enough that a thread that is late can be helped.
pub const ROWS_PER_TASK: usize = 64;

// ANCHOR: matvec
/// A weight `(d_out, d_in)` and where its products with `x` `(rows, d_in)` go: `(rows, d_out)`.
#[derive(Debug)]
pub struct Product<'a> {
    /// The weight's numbers.
    pub weight: &'a [f32],
    /// The results.
    pub out: MatrixMut<'a>,
}

/// Each `out` = or += `x` · `weight`ᵀ, for at most [`MAX_ROWS`] rows of `x`; on all threads, one region for all products.
///
/// # Panics
/// If the shapes do not fit, or `x` has more rows.
pub fn matvec<'a>(isa: Isa, write: Write, x: Matrix<'_>, products: impl IntoIterator<Item = Product<'a>>) {
    let d_in = x.n_cols();
    let mut tasks = Vec::new();
    for Product { weight, out } in products {
        check(x, weight, out.n_rows(), out.n_cols());
        tasks.extend(weight.chunks(ROWS_PER_TASK * d_in).zip(out.bands(ROWS_PER_TASK)));
    }
    tasks.into_par_iter().for_each(|(weight, out)| weight_rows(isa, write, x, weight, out));
}

/// `out` `(rows, d_ff)` = silu(`x` · `gate`ᵀ) · (`x` · `up`ᵀ): both products and what is made of them, in one region.
///
/// # Panics
/// As [`matvec`].
pub fn swiglu_matvec(isa: Isa, x: Matrix<'_>, gate: &[f32], up: &[f32], out: MatrixMut<'_>) {
    check(x, gate, out.n_rows(), out.n_cols());
    check(x, up, out.n_rows(), out.n_cols());
    let size = ROWS_PER_TASK * x.n_cols();
    let tasks: Vec<_> = gate.chunks(size).zip(up.chunks(size)).zip(out.bands(ROWS_PER_TASK)).collect();
    tasks.into_par_iter().for_each(|((gate, up), mut out)| {
        let width = out.n_cols();
        let mut of_up = [0.0; MAX_ROWS * ROWS_PER_TASK];
        let mut of_gate = [0.0; MAX_ROWS * ROWS_PER_TASK];
        let (of_gate, of_up) = (&mut of_gate[..x.n_rows() * width], &mut of_up[..x.n_rows() * width]);
        weight_rows(isa, Write::Replace, x, gate, MatrixMut::new(of_gate, width));
        weight_rows(isa, Write::Replace, x, up, MatrixMut::new(of_up, width));
        for (i, (gate, up)) in of_gate.chunks_exact(width).zip(of_up.chunks_exact(width)).enumerate() {
            forward_row(isa, gate, up, out.row_mut(i));
        }
    });
}
// ANCHOR_END: matvec

fn check(x: Matrix<'_>, weight: &[f32], n_rows: usize, d_out: usize) {
    let (m, d_in) = (x.n_rows(), x.n_cols());
    assert!((1..=MAX_ROWS).contains(&m) && m == n_rows, "{m} rows in, {n_rows} out; from 1 to {MAX_ROWS} can be");
    assert_eq!(weight.len(), d_out * d_in, "a weight of ({d_out}, {d_in})");
}

// ANCHOR: rows
per_isa! {
    /// The products of `x` with the rows of one task: the weight is read from its first number to its last, and each row is used for all rows of `x`
    /// while it is in the first-level cache.
    fn weight_rows<A>(write: Write, x: Matrix<'_>, weight: &[f32], out: MatrixMut<'_>) {
        let (mut out, m) = (out, x.n_rows());
        let x: [&[f32]; MAX_ROWS] = std::array::from_fn(|i| x.row(i.min(m - 1)));
        for (j, row) in weight.chunks_exact(x[0].len()).enumerate() {
            let sums = if m == 1 { [long_dot::<A>(row, x[0]); MAX_ROWS] } else { four_dots::<A>(row, x) };
            for (i, sum) in sums[..m].iter().enumerate() {
                let y = &mut out.row_mut(i)[j];
                *y = if write == Write::Add { *y + sum } else { *sum };
            }
        }
    }
}

/// Σ wᵢ xᵢ in four registers of sums, so that an addition need not wait for the one before it.
#[inline(always)]
fn long_dot<A: Arithmetic>(row: &[f32], x: &[f32]) -> f32 {
    let ((blocks, rest), (x_blocks, x_rest)) = (row.as_chunks::<{ 4 * LANES }>(), x.as_chunks::<{ 4 * LANES }>());
    let mut sums = [0.0; 4 * LANES];
    for (w, x) in blocks.iter().zip(x_blocks) {
        for i in 0..4 * LANES {
            sums[i] = A::mul_add(w[i], x[i], sums[i]);
        }
    }
    let sums = black_box(sums);
    let mut lanes = [0.0; LANES];
    for i in 0..LANES {
        lanes[i] = (sums[i] + sums[i + LANES]) + (sums[i + 2 * LANES] + sums[i + 3 * LANES]);
    }
    sum_lanes(black_box(lanes)) + dot::<A>(rest, x_rest)
}

/// Σ wᵢ xᵢ with four vectors.
#[inline(always)]
fn four_dots<A: Arithmetic>(row: &[f32], x: [&[f32]; 4]) -> [f32; 4] {
    let (blocks, rest) = row.as_chunks::<LANES>();
    let [(a, a_rest), (b, b_rest), (c, c_rest), (d, d_rest)] = x.map(|x| x.as_chunks::<LANES>());
    let (mut of_a, mut of_b, mut of_c, mut of_d) = ([0.0; LANES], [0.0; LANES], [0.0; LANES], [0.0; LANES]);
    for ((((w, a), b), c), d) in blocks.iter().zip(a).zip(b).zip(c).zip(d) {
        for i in 0..LANES {
            of_a[i] = A::mul_add(w[i], a[i], of_a[i]);
            of_b[i] = A::mul_add(w[i], b[i], of_b[i]);
            of_c[i] = A::mul_add(w[i], c[i], of_c[i]);
            of_d[i] = A::mul_add(w[i], d[i], of_d[i]);
        }
    }
    let rest = |x: &[f32]| rest.iter().zip(x).fold(0.0, |sum, (w, x)| A::mul_add(*w, *x, sum));
    [
        sum_lanes(black_box(of_a)) + rest(a_rest),
        sum_lanes(black_box(of_b)) + rest(b_rest),
        sum_lanes(black_box(of_c)) + rest(c_rest),
        sum_lanes(black_box(of_d)) + rest(d_rest),
    ]
}
// ANCHOR_END: rows
