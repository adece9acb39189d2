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
//! A sum does not depend on the threads, nor, if there are at least two rows, on those beside it. Weights are f32: rounding them to bfloat16 on the way would read as many bytes.

use std::hint::black_box;

use rayon::prelude::*;

use crate::Isa;
use crate::isa::{AHEAD, Arithmetic, per_isa, prefetch};
use crate::lanes::{LANES, dot, sum_lanes};
use crate::matmul::Write;
use crate::matrix::{Matrix, MatrixMut};
use crate::swiglu::forward_row;

/// Vectors that one pass over the weight serves, four at a time; with more, [`few_rows`](crate::few_rows) is faster.
pub const MAX_ROWS: usize = 8;

/// Rows of the weight that one task reads: enough to outweigh the cost of handing it out, few enough that a thread that memory keeps waiting is helped. (With
/// four times as many a token takes a tenth longer.)
pub const ROWS_PER_TASK: usize = 16;

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
    pub(crate) fn weight_rows<A>(write: Write, x: Matrix<'_>, weight: &[f32], out: MatrixMut<'_>) {
        let (mut out, m) = (out, x.n_rows());
        let four = |first: usize| -> [&[f32]; 4] { std::array::from_fn(|i| x.row((first + i).min(m - 1))) };
        let x = [four(0), four(4)];
        for (j, row) in weight.chunks_exact(x[0][0].len()).enumerate() {
            for (x, first) in x.into_iter().zip((0..m).step_by(4)) {
                let sums = if m == 1 { [long_dot::<A>(row, x[0]); 4] } else { four_dots::<A>(row, x) };
                for (i, sum) in (first..m).zip(sums) {
                    let y = &mut out.row_mut(i)[j];
                    *y = if write == Write::Add { *y + sum } else { sum };
                }
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
        w.chunks_exact(LANES).for_each(|line| prefetch(line, AHEAD));
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
        prefetch(w, AHEAD);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::numbers;

    /// d_in and d_out: single numbers, edges of lanes, of four registers and of tasks from both sides.
    const SIZES: [(usize, usize); 9] =
        [(1, 1), (2, 3), (15, 64), (16, 65), (17, 63), (63, 130), (64, 5), (65, 129), (200, 67)];

    fn naive(x: &[f32], row: &[f32]) -> f64 {
        x.iter().zip(row).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum()
    }

    #[test]
    fn products_of_every_size_replace_and_add() {
        for m in 1..=MAX_ROWS {
            for (d_in, d_out) in SIZES {
                let (x, weight) = (numbers(m * d_in, 1, 1.0), numbers(d_out * d_in, 2, 1.0));
                for &isa in Isa::available() {
                    // The output is a window, and what is around it must stay as it is.
                    let mut data = vec![f32::NAN; m * (d_out + 3)];
                    let mut all = MatrixMut::new(&mut data, d_out + 3);
                    let x = Matrix::new(&x, d_in);
                    let out = all.columns_mut(1..d_out + 1);
                    matvec(isa, Write::Replace, x, [Product { weight: &weight, out }]);
                    let out = all.columns_mut(1..d_out + 1);
                    matvec(isa, Write::Add, x, [Product { weight: &weight, out }]);
                    for (index, y) in data.iter().enumerate() {
                        let (i, j) = (index / (d_out + 3), index % (d_out + 3));
                        if j == 0 || j > d_out {
                            assert!(y.is_nan(), "{isa} {m} ({d_in}, {d_out}): wrote to [{i}, {j}]");
                            continue;
                        }
                        let truth = 2.0 * naive(x.row(i), &weight[(j - 1) * d_in..][..d_in]);
                        // Sums of up to 200 terms below 1.
                        let error = (f64::from(*y) - truth).abs();
                        assert!(error < 1e-5, "{isa} {m} ({d_in}, {d_out}) [{i}, {j}]: {y}, not {truth}");
                    }
                }
            }
        }
    }

    #[test]
    fn several_products_are_each_as_alone() {
        let (m, d_in) = (2, 70);
        let x = numbers(m * d_in, 3, 1.0);
        let weights = [numbers(130 * d_in, 4, 1.0), numbers(d_in, 5, 1.0), numbers(64 * d_in, 6, 1.0)];
        for &isa in Isa::available() {
            let mut together = weights.each_ref().map(|weight| vec![f32::NAN; m * weight.len() / d_in]);
            let products = weights.iter().zip(&mut together).map(|(weight, out)| {
                let d_out = out.len() / m;
                Product { weight, out: MatrixMut::new(out, d_out) }
            });
            matvec(isa, Write::Replace, Matrix::new(&x, d_in), products);
            for (weight, together) in weights.iter().zip(&together) {
                let mut alone = vec![f32::NAN; together.len()];
                let out = MatrixMut::new(&mut alone, together.len() / m);
                matvec(isa, Write::Replace, Matrix::new(&x, d_in), [Product { weight, out }]);
                assert_eq!(&alone, together, "{isa}");
            }
        }
    }

    #[test]
    fn swiglu_is_that_of_two_products() {
        for (m, d_in, d_ff) in [(1, 33, 1), (1, 64, 200), (3, 20, 65), (4, 7, 64), (7, 9, 17)] {
            let (x, gate, up) = (numbers(m * d_in, 7, 1.0), numbers(d_ff * d_in, 8, 1.0), numbers(d_ff * d_in, 9, 1.0));
            let x = Matrix::new(&x, d_in);
            for &isa in Isa::available() {
                let product = |weight: &[f32]| {
                    let mut y = vec![f32::NAN; m * d_ff];
                    matvec(isa, Write::Replace, x, [Product { weight, out: MatrixMut::new(&mut y, d_ff) }]);
                    y
                };
                let (mut expected, mut found) = (vec![f32::NAN; m * d_ff], vec![f32::NAN; m * d_ff]);
                crate::swiglu::forward_separate(isa, &product(&gate), &product(&up), &mut expected);
                swiglu_matvec(isa, x, &gate, &up, MatrixMut::new(&mut found, d_ff));
                for (found, expected) in found.iter().zip(&expected) {
                    // The last lanes of a slice may fuse other roundings than the first.
                    assert!((found - expected).abs() <= 1e-6 * expected.abs().max(1.0), "{isa} ({m}, {d_in}, {d_ff})");
                }
            }
        }
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        for m in [1, 3, 8] {
            let (d_in, d_out) = if cfg!(miri) { (20, 200) } else { (100, 1000) };
            let (x, weight) = (numbers(m * d_in, 10, 1.0), numbers(d_out * d_in, 11, 1.0));
            let of = |n_threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
                let (mut y, mut h) = (vec![f32::NAN; m * d_out], vec![f32::NAN; m * d_out]);
                pool.install(|| {
                    let x = Matrix::new(&x, d_in);
                    let out = MatrixMut::new(&mut y, d_out);
                    matvec(Isa::best(), Write::Replace, x, [Product { weight: &weight, out }]);
                    swiglu_matvec(Isa::best(), x, &weight, &weight, MatrixMut::new(&mut h, d_out));
                });
                (y, h)
            };
            assert_eq!(of(1), of(3));
        }
    }

    #[test]
    fn a_nan_reaches_its_row_and_no_other() {
        let (d_in, d_out) = (70, 9);
        for at in [0, 65, 69] {
            let (x, mut weight) = (numbers(d_in, 12, 1.0), numbers(d_out * d_in, 13, 1.0));
            weight[4 * d_in + at] = f32::NAN;
            for &isa in Isa::available() {
                let mut y = vec![0.0; d_out];
                let out = MatrixMut::new(&mut y, d_out);
                matvec(isa, Write::Replace, Matrix::new(&x, d_in), [Product { weight: &weight, out }]);
                assert!(y.iter().enumerate().all(|(j, y)| y.is_nan() == (j == 4)), "{isa} {at}: {y:?}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "from 1 to 8 can be")]
    fn more_rows_are_refused() {
        let mut data = [0.0; 9];
        let out = MatrixMut::new(&mut data, 1);
        matvec(Isa::PORTABLE, Write::Replace, Matrix::new(&[0.0; 9], 1), [Product { weight: &[0.0], out }]);
    }
}
