//! Products with factors in bfloat16 and sums in f32.
//!
//! $$c_{ij} = \sum_p \operatorname{bf16}(a_{ip}) \operatorname{bf16}(b_{pj})$$
//! for $a$ (m × k) and $b$ (k × n) that are f32 in memory. Rounding is to nearest, ties to even; a NaN stays a NaN. A bfloat16 has the exponent of an f32
//! and 8 significant bits (7 of them stored), so a product of two is exact in f32, and only the sums round again.
//!
//! A CPU with `vdpbf16ps` multiplies and adds 32 pairs of bfloat16 by one instruction, where that for f32 takes 16. There `blocked` computes the product;
//! elsewhere the rounded factors stay f32 and go to the f32 product. The two add in a different order, and `vdpbf16ps` takes numbers below
//! 10⁻³⁸ for zero. Nothing here rounds the result: it is f32.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::thread::LocalKey;

use rayon::prelude::*;

use crate::Isa;
use crate::isa::per_isa;
use crate::matmul::{Precision, Threads, Write};
use crate::matrix::{Matrix, MatrixMut};

#[cfg(target_arch = "x86_64")]
mod blocked;
#[cfg(target_arch = "x86_64")]
mod kernel;
#[cfg(target_arch = "x86_64")]
mod pack;

/// Multiplications below which it is not worth waking other threads.
const WORTH_THREADS: usize = 1 << 20;

// ANCHOR: matmul
/// `out` (m × n) = or += `a` (m × k) · `b` (k × n), both factors rounded to bfloat16.
///
/// # Panics
/// If the shapes do not fit.
pub fn matmul(isa: Isa, threads: Threads, write: Write, a: Matrix<'_>, b: Matrix<'_>, mut out: MatrixMut<'_>) {
    let (m, k, n) = (a.n_rows(), a.n_cols(), b.n_cols());
    assert!(b.n_rows() == k && out.n_rows() == m && out.n_cols() == n, "({m}, {k}) · ({}, {n})", b.n_rows());
    if k == 0 && write == Write::Replace {
        (0..m).for_each(|i| out.row_mut(i).fill(0.0));
    }
    if m * k * n == 0 {
        return;
    }
    let threads = if m * k * n < WORTH_THREADS { Threads::One } else { threads };
    #[cfg(target_arch = "x86_64")]
    if has_bf16(isa) {
        // SAFETY: the CPU has these instructions.
        return unsafe { blocked::multiply(threads, write, a, b, out) };
    }
    portable(isa, threads, write, a, b, out);
}

/// Whether products at this level use `vdpbf16ps`. Not every CPU with AVX-512 has it; the answer is looked up once.
#[cfg(target_arch = "x86_64")]
fn has_bf16(isa: Isa) -> bool {
    isa.0 == crate::isa::Level::Avx512 && is_x86_feature_detected!("avx512bf16")
}
// ANCHOR_END: matmul

// ANCHOR: portable
fn portable(isa: Isa, threads: Threads, write: Write, a: Matrix<'_>, b: Matrix<'_>, out: MatrixMut<'_>) {
    with_buffer(&NUMBERS, a.n_rows() * a.n_cols(), 0.0, |a_rounded| {
        with_buffer(&NUMBERS, b.n_rows() * b.n_cols(), 0.0, |b_rounded| {
            let a = rounded(isa, threads, a, a_rounded);
            let b = rounded(isa, threads, b, b_rounded);
            crate::matmul::matmul(isa, Precision::F32, threads, write, a, b, out);
        });
    });
}

/// A rounded copy, in the source's own order, without gaps.
fn rounded<'a>(isa: Isa, threads: Threads, source: Matrix<'_>, copy: &'a mut [f32]) -> Matrix<'a> {
    const ROWS_PER_TASK: usize = 32;
    if source.col_stride() != 1 {
        return rounded(isa, threads, source.transposed(), copy).transposed();
    }
    let n_cols = source.n_cols();
    for_each(threads, copy.chunks_mut(ROWS_PER_TASK * n_cols).enumerate(), |(task, copy)| {
        for (i, copy) in copy.chunks_exact_mut(n_cols).enumerate() {
            round_row(isa, source.row(task * ROWS_PER_TASK + i), copy);
        }
    });
    Matrix::new(copy, n_cols)
}

per_isa! {
    fn round_row<A>(numbers: &[f32], rounded: &mut [f32]) {
        for (x, rounded) in numbers.iter().zip(rounded) {
            *rounded = round(*x);
        }
    }
}

/// The nearest bfloat16. Half a unit in its last place, less one bit if it is even, carries into the upper half of the bits when it must be rounded up.
#[inline(always)]
fn round(x: f32) -> f32 {
    let bits = x.to_bits();
    let is_odd = bits >> 16 & 1;
    let rounded = f32::from_bits(bits.wrapping_add(0x7fff + is_odd) & 0xffff_0000);
    if x.is_nan() { x } else { rounded }
}
// ANCHOR_END: portable

/// Does all tasks, on one thread or on those of the pool.
fn for_each<T: Send>(threads: Threads, tasks: impl Iterator<Item = T>, run: impl Fn(T) + Sync + Send) {
    match threads {
        Threads::One => tasks.for_each(run),
        Threads::All => tasks.collect::<Vec<_>>().into_par_iter().for_each(run),
    }
}

// ANCHOR: buffers
/// Buffers that a thread is not using. They are kept, since fresh memory costs a page fault for each 4 KiB: more than it takes to fill them.
type Pool<T> = RefCell<Vec<Vec<T>>>;

thread_local! {
    static NUMBERS: Pool<f32> = const { Pool::new(Vec::new()) };
}

/// Lends a buffer of n elements with anything in them. The thread that waits for its tasks may run another product meanwhile, which takes another buffer.
fn with_buffer<T: Copy>(pool: &'static LocalKey<Pool<T>>, n: usize, zero: T, run: impl FnOnce(&mut [T])) {
    let mut buffer = pool.with_borrow_mut(Vec::pop).unwrap_or_default();
    if buffer.len() < n {
        buffer = vec![zero; n];
    }
    run(&mut buffer[..n]);
    pool.with_borrow_mut(|pool| pool.push(buffer));
}
// ANCHOR_END: buffers

#[cfg(test)]
mod tests {
    use super::*;

    /// Half the distance from 1 to the next f32, and to the next bfloat16: the largest relative errors of rounding.
    const F32_ROUNDOFF: f64 = 1.0 / (1 << 24) as f64;
    const BF16_ROUNDOFF: f64 = 1.0 / (1 << 8) as f64;

    /// m, k and n: single numbers, edges of tiles, strips and tasks from both sides, more than one block of k.
    const SIZES: [(usize, usize, usize); 12] = [
        (1, 1, 1),
        (3, 5, 7),
        (1, 70, 200),
        (8, 32, 48),
        (9, 33, 49),
        (64, 1, 97),
        (16, 64, 16),
        (130, 31, 50),
        (23, 47, 210),
        (97, 110, 100),
        (5, 1027, 11),
        (2, 2050, 19),
    ];

    /// Numbers between −1 and 1 that use all bits of an f32.
    fn numbers(n: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..n).map(|_| next()).collect()
    }

    /// An n_rows × n_cols window inside a larger matrix, or the transpose of one.
    fn window(data: &[f32], n_rows: usize, n_cols: usize, is_transposed: bool) -> Matrix<'_> {
        if is_transposed {
            return window(data, n_cols, n_rows, false).transposed();
        }
        Matrix::new(&data[..(n_rows + 2) * (n_cols + 5)], n_cols + 5).rows(1..n_rows + 1).columns(3..n_cols + 3)
    }

    fn at(m: Matrix<'_>, i: usize, j: usize) -> f32 {
        if m.col_stride() == 1 { m.row(i)[j] } else { m.transposed().row(j)[i] }
    }

    /// Σ a b over k of factors seen through `see`, and Σ |a b|, which scales the error.
    fn naive(a: Matrix<'_>, b: Matrix<'_>, i: usize, j: usize, see: fn(f32) -> f32) -> (f64, f64) {
        let products = (0..a.n_cols()).map(|p| f64::from(see(at(a, i, p))) * f64::from(see(at(b, p, j))));
        products.fold((0.0, 0.0), |(sum, size), product| (sum + product, size + product.abs()))
    }

    fn product(isa: Isa, threads: Threads, a: Matrix<'_>, b: Matrix<'_>) -> Vec<f32> {
        let mut out = vec![f32::NAN; a.n_rows() * b.n_cols()];
        matmul(isa, threads, Write::Replace, a, b, MatrixMut::new(&mut out, b.n_cols()));
        out
    }

    #[test]
    fn is_the_product_of_rounded_factors() {
        let (left, right) = (numbers(60_000, 1), numbers(60_000, 2));
        for &isa in Isa::available() {
            for (m, k, n) in SIZES {
                for (a_transposed, b_transposed) in [(false, false), (false, true), (true, false), (true, true)] {
                    let (a, b) = (window(&left, m, k, a_transposed), window(&right, k, n, b_transposed));
                    // The output is a window too, and what is around it must stay as it is.
                    let mut data = vec![f32::NAN; (m + 1) * (n + 2)];
                    let mut all = MatrixMut::new(&mut data, n + 2);
                    let mut out = all.rows_mut(0..m);
                    matmul(isa, Threads::All, Write::Replace, a, b, out.columns_mut(1..n + 1));
                    matmul(isa, Threads::One, Write::Add, a, b, out.columns_mut(1..n + 1));
                    for (index, &x) in data.iter().enumerate() {
                        let (i, j) = (index / (n + 2), index % (n + 2));
                        if i == m || j == 0 || j == n + 1 {
                            assert!(x.is_nan(), "{isa} ({m}, {k}, {n}): wrote to [{i}, {j}]");
                            continue;
                        }
                        let (sum, size) = naive(a, b, i, j - 1, round);
                        // An exact product is added with one rounding, k times in any order, and then blocks and both results are.
                        let tolerance = 2.0 * (k + 4) as f64 * F32_ROUNDOFF * size;
                        let error = (f64::from(x) - 2.0 * sum).abs();
                        assert!(error <= tolerance, "{isa} ({m}, {k}, {n}) [{i}, {j}]: {x}, not {}", 2.0 * sum);
                    }
                }
            }
        }
    }

    #[test]
    fn is_near_the_product_of_unrounded_factors() {
        let (m, k, n) = (20, 130, 60);
        let (left, right) = (numbers(m * k, 3), numbers(k * n, 4));
        let (a, b) = (Matrix::new(&left, k), Matrix::new(&right, n));
        for &isa in Isa::available() {
            let out = product(isa, Threads::One, a, b);
            let mut is_rounded = false;
            for (index, &x) in out.iter().enumerate() {
                let (sum, size) = naive(a, b, index / n, index % n, |x| x);
                // Each factor is off by its roundoff at most; that of the sums vanishes beside it.
                let error = (f64::from(x) - sum).abs();
                assert!(error <= 2.01 * BF16_ROUNDOFF * size, "{isa}: {x}, not {sum}");
                is_rounded |= error > 100.0 * F32_ROUNDOFF * size;
            }
            assert!(is_rounded, "{isa}: these are products in f32");
        }
    }

    #[test]
    fn rounds_to_nearest_even_and_keeps_what_is_not_a_number() {
        let unit = 1.0 / 128.0; // Between 1 and 2 the numbers in bfloat16 are this far apart.
        let cases = [
            (1.0, 1.0),
            (1.0 + 0.5 * unit, 1.0),
            (1.0 + 0.51 * unit, 1.0 + unit),
            (-1.0 - 1.5 * unit, -1.0 - 2.0 * unit),
            (1.0 + 2.5 * unit, 1.0 + 2.0 * unit),
            (f32::MAX, f32::INFINITY),
            (f32::NEG_INFINITY, f32::NEG_INFINITY),
            (f32::NAN, f32::NAN),
            // Rounded as if it were a number, this one would be infinite.
            (f32::from_bits(0x7f80_0001), f32::NAN),
        ];
        for &isa in Isa::available() {
            for (x, rounded) in cases {
                let of_left = product(isa, Threads::One, Matrix::new(&[x], 1), Matrix::new(&[1.0], 1))[0];
                let of_right = product(isa, Threads::One, Matrix::new(&[1.0], 1), Matrix::new(&[x], 1))[0];
                for y in [of_left, of_right] {
                    assert!(y == rounded || y.is_nan() && rounded.is_nan(), "{isa}: {x} became {y}, not {rounded}");
                }
            }
        }
    }

    #[test]
    fn a_nan_reaches_its_row_or_column_and_no_other() {
        let (m, k, n) = (19, 37, 50);
        for &isa in Isa::available() {
            let (mut left, mut right) = (numbers(m * k, 5), numbers(k * n, 6));
            left[17 * k + 36] = f32::NAN;
            right[3 * n + 49] = f32::INFINITY;
            right[4 * n + 49] = f32::NEG_INFINITY;
            (0..m).for_each(|i| left[i * k + 3] = left[i * k + 3].abs() + 0.1);
            (0..m).for_each(|i| left[i * k + 4] = left[i * k + 4].abs() + 0.1);
            let out = product(isa, Threads::One, Matrix::new(&left, k), Matrix::new(&right, n));
            for (index, x) in out.iter().enumerate() {
                let is_hit = index / n == 17 || index % n == 49; // ∞ − ∞ is not a number either.
                assert_eq!(x.is_nan(), is_hit, "{isa} [{}, {}]: {x}", index / n, index % n);
            }
        }
    }

    #[test]
    fn does_not_depend_on_the_number_of_threads() {
        // Large enough for all threads, with several tasks that pack and several that multiply, of rows and then of columns.
        for (m, k, n) in [(300, 1100, 70), (70, 1100, 300)] {
            let (left, right) = (numbers(m * k, 7), numbers(k * n, 8));
            let (a, b) = (Matrix::new(&left, k), Matrix::new(&right, n));
            for &isa in Isa::available() {
                let with = |n_threads, threads| {
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
                    pool.install(|| product(isa, threads, a, b))
                };
                let truth = with(1, Threads::One);
                assert_eq!(with(1, Threads::All), truth, "{isa}");
                assert_eq!(with(3, Threads::All), truth, "{isa}");
            }
        }
    }

    #[test]
    fn products_inside_tasks_do_not_share_buffers() {
        let (m, k, n) = (200, 100, 100);
        let inputs: Vec<_> = (0..8).map(|seed| (numbers(m * k, seed), numbers(k * n, seed + 100))).collect();
        let all = |(a, b): &(Vec<f32>, Vec<f32>), threads| {
            product(Isa::best(), threads, Matrix::new(a, k), Matrix::new(b, n))
        };
        let truth: Vec<_> = inputs.iter().map(|input| all(input, Threads::One)).collect();
        let nested: Vec<_> = inputs.par_iter().map(|input| all(input, Threads::All)).collect();
        assert_eq!(nested, truth);
    }

    #[test]
    fn without_products_there_are_zeros_or_what_was_there() {
        let none = Matrix::new(&[1.0; 6], 3).columns(0..0); // (2, 0)
        for &isa in Isa::available() {
            let mut out = [f32::NAN; 4];
            matmul(isa, Threads::One, Write::Replace, none, none.transposed(), MatrixMut::new(&mut out, 2));
            assert_eq!(out, [0.0; 4]);
            let mut out = [1.0; 4];
            matmul(isa, Threads::One, Write::Add, none, none.transposed(), MatrixMut::new(&mut out, 2));
            assert_eq!(out, [1.0; 4]);
        }
    }
}
