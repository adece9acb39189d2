//! Products of a weight with some rows: a batch of texts that each grow by a token, or a prompt.
//!
//! With one row the time is that of reading the weight ([`matvec`](crate::matvec)). With thousands, the blocked product ([`matmul`](crate::matmul)) pays for
//! packing both factors. Between them lies most of what a server does: packing the weight costs as much as the product itself, and the weight is
//! the same each time.
//!
//! $y_{ij} = \sum_c x_{ic}\, w_{jc}$ reads a row of the weight, `(d_out, d_in)`, from its first number to its last, as it lies in memory. So only `x` is packed, which is
//! small: into *panels* of [`LANES`] rows, `(d_in, LANES)`, where a register takes number c of all rows at once. Each number of the weight is broadcast
//! and multiplied with that register. A tile of sums for [`TILE_ROWS`] rows of the weight stays in registers while c runs (Goto and van de Geijn 2008, with the packing
//! of one factor left out).
//!
//! A sum adds its products in the order of c: it does not depend on the rows beside it, nor on the threads.

use std::hint::black_box;

use rayon::prelude::*;

use crate::Isa;
use crate::isa::{Arithmetic, per_isa, prefetch};
use crate::lanes::LANES;
use crate::matmul::Write;
use crate::matrix::{Matrix, MatrixMut};

/// With more rows than this the blocked product is as fast or faster.
pub const MAX_ROWS: usize = 512;

/// Rows of the weight in a tile: so many sums hide the latency of an addition, and with [`LANES`] each they fit into 16 registers of 8 numbers.
const TILE_ROWS: usize = 6;

/// Rows of the weight that one task multiplies with all of `x`.
pub(crate) const ROWS_PER_TASK: usize = 8 * TILE_ROWS;

/// Panels that all tiles of a task are multiplied with before the next ones: what stays in the second-level cache.
const PANELS_AT_ONCE: usize = 8;

/// Steps along `d_in` between two checks of bounds.
const STEPS: usize = 8;

pub(crate) type Lanes = [f32; LANES];

// ANCHOR: multiply
/// `out` `(rows, d_out)` = or += `x` `(rows, d_in)` · `weight`ᵀ, where `weight` is `(d_out, d_in)`; on all threads.
///
/// # Panics
/// If the shapes do not fit.
pub fn multiply(isa: Isa, write: Write, x: Matrix<'_>, weight: &[f32], out: MatrixMut<'_>) {
    let (m, d_in, d_out) = (x.n_rows(), x.n_cols(), out.n_cols());
    assert!(m == out.n_rows() && d_in > 0 && weight.len() == d_out * d_in, "({m}, {d_in}) · ({d_out}, {d_in})ᵀ");
    let panels = pack(x);
    let tasks: Vec<_> = weight.chunks(ROWS_PER_TASK * d_in).zip(out.bands(ROWS_PER_TASK)).collect();
    tasks.into_par_iter().for_each(|(weight, out)| multiply_rows(isa, write, &panels, weight, out));
}

/// All panels with some rows of the weight: one task.
pub(crate) fn multiply_rows(isa: Isa, write: Write, panels: &[Lanes], weight: &[f32], mut out: MatrixMut<'_>) {
    let (m, d_in) = (out.n_rows(), weight.len() / out.n_cols());
    for (i, panels) in panels.chunks(PANELS_AT_ONCE * d_in).enumerate() {
        let first = i * PANELS_AT_ONCE * LANES;
        let last = (first + PANELS_AT_ONCE * LANES).min(m);
        multiply_panels(isa, write, panels, weight, out.rows_mut(first..last));
    }
}

/// Rows 0 to 15 as `(d_in, 16)`, then the next; zeros where there is no row.
pub(crate) fn pack(x: Matrix<'_>) -> Vec<Lanes> {
    let (m, d_in) = (x.n_rows(), x.n_cols());
    let mut panels = vec![[0.0; LANES]; m.div_ceil(LANES) * d_in];
    panels.par_chunks_exact_mut(d_in).enumerate().for_each(|(i, panel)| {
        for row in i * LANES..((i + 1) * LANES).min(m) {
            panel.iter_mut().zip(x.row(row)).for_each(|(lanes, value)| lanes[row % LANES] = *value);
        }
    });
    panels
}
// ANCHOR_END: multiply

// ANCHOR: tile
per_isa! {
    /// Some rows of the weight, which stay in the first-level cache for a tile's time, with some panels.
    fn multiply_panels<A>(write: Write, panels: &[Lanes], weight: &[f32], out: MatrixMut<'_>) {
        let m = out.n_rows();
        let mut out = out;
        let d_in = panels.len() / m.div_ceil(LANES);
        for (tile, rows) in weight.chunks(TILE_ROWS * d_in).enumerate() {
            let n_rows = rows.len() / d_in;
            // A tile that is not full computes its last row again.
            let rows = std::array::from_fn(|i| &rows[i.min(n_rows - 1) * d_in..][..d_in]);
            for (i, panel) in panels.chunks_exact(d_in).enumerate() {
                let sums = multiply_tile::<A>(rows, panel);
                for row in i * LANES..((i + 1) * LANES).min(m) {
                    let out = &mut out.row_mut(row)[tile * TILE_ROWS..][..n_rows];
                    for (y, sums) in out.iter_mut().zip(&sums) {
                        let sum = sums[row % LANES];
                        *y = if write == Write::Add { *y + sum } else { sum };
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn multiply_tile<A: Arithmetic>(rows: [&[f32]; TILE_ROWS], panel: &[Lanes]) -> [Lanes; TILE_ROWS] {
    let mut sums = [[0.0; LANES]; TILE_ROWS];
    let (blocks, rest) = panel.as_chunks::<STEPS>();
    let row_blocks = rows.map(|row| row.as_chunks::<STEPS>().0);
    let next_tile = size_of::<f32>() * TILE_ROWS * panel.len();
    for (i, lanes) in blocks.iter().enumerate() {
        let weights = row_blocks.map(|row| &row[i]);
        weights.iter().for_each(|weights| prefetch(*weights, next_tile));
        for (step, lanes) in lanes.iter().enumerate() {
            multiply_step::<A>(weights.map(|row| row[step]), lanes, &mut sums);
        }
    }
    let row_rests = rows.map(|row| &row[panel.len() - rest.len()..]);
    for (i, lanes) in rest.iter().enumerate() {
        multiply_step::<A>(row_rests.map(|row| row[i]), lanes, &mut sums);
    }
    // Through memory: what is done with the sums shall not change where they are kept.
    black_box(sums)
}

#[inline(always)]
fn multiply_step<A: Arithmetic>(weights: [f32; TILE_ROWS], lanes: &Lanes, sums: &mut [Lanes; TILE_ROWS]) {
    for (weight, sums) in weights.iter().zip(sums) {
        for i in 0..LANES {
            sums[i] = A::mul_add(*weight, lanes[i], sums[i]);
        }
    }
}
// ANCHOR_END: tile

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::numbers;

    /// Rows, d_in and d_out: single numbers, edges of panels and their groups, of steps, tiles and tasks from both sides. The large ones are last:
    /// an interpreter takes minutes for them.
    const SIZES: [(usize, usize, usize); 10] = [
        (1, 1, 1),
        (5, 7, 6),
        (15, 8, 5),
        (16, 9, 7),
        (17, 64, 48),
        (33, 65, 49),
        (127, 15, 12),
        (128, 16, 47),
        (129, 70, 13),
        (300, 17, 97),
    ];

    #[test]
    fn products_of_every_size_replace_and_add() {
        for (m, d_in, d_out) in SIZES.into_iter().take(if cfg!(miri) { 5 } else { SIZES.len() }) {
            // The input too is a window.
            let (x, weight) = (numbers(m * (d_in + 2), 1, 1.0), numbers(d_out * d_in, 2, 1.0));
            let x = Matrix::new(&x, d_in + 2).columns(1..d_in + 1);
            for &isa in Isa::available() {
                let mut data = vec![f32::NAN; m * (d_out + 3)];
                let mut all = MatrixMut::new(&mut data, d_out + 3);
                multiply(isa, Write::Replace, x, &weight, all.columns_mut(1..d_out + 1));
                multiply(isa, Write::Add, x, &weight, all.columns_mut(1..d_out + 1));
                for (index, y) in data.iter().enumerate() {
                    let (i, j) = (index / (d_out + 3), index % (d_out + 3));
                    if j == 0 || j > d_out {
                        assert!(y.is_nan(), "{isa} ({m}, {d_in}, {d_out}): wrote to [{i}, {j}]");
                        continue;
                    }
                    let row = &weight[(j - 1) * d_in..][..d_in];
                    let truth: f64 = x.row(i).iter().zip(row).map(|(x, w)| 2.0 * f64::from(*x) * f64::from(*w)).sum();
                    // Sums of up to 70 terms below 1.
                    let error = (f64::from(*y) - truth).abs();
                    assert!(error < 1e-5, "{isa} ({m}, {d_in}, {d_out}) [{i}, {j}]: {y}, not {truth}");
                }
            }
        }
    }

    #[test]
    fn neither_other_rows_nor_threads_change_a_bit() {
        let (m, d_in, d_out) = if cfg!(miri) { (40, 10, 100) } else { (40, 100, 300) };
        let (x, weight) = (numbers(m * d_in, 3, 1.0), numbers(d_out * d_in, 4, 1.0));
        let product = |n_threads: usize, rows: std::ops::Range<usize>| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            let mut y = vec![f32::NAN; rows.len() * d_out];
            let x = Matrix::new(&x, d_in).rows(rows);
            pool.install(|| multiply(Isa::best(), Write::Replace, x, &weight, MatrixMut::new(&mut y, d_out)));
            y
        };
        let all = product(1, 0..m);
        assert_eq!(all, product(3, 0..m));
        assert_eq!(all[21 * d_out..38 * d_out], product(2, 21..38));
    }

    #[test]
    fn a_nan_reaches_its_row_or_column_and_no_other() {
        let (m, d_in, d_out) = (18, 20, 9);
        for at in [0, 15, 19] {
            let (mut x, mut weight) = (numbers(m * d_in, 5, 1.0), numbers(d_out * d_in, 6, 1.0));
            x[17 * d_in + at] = f32::NAN;
            weight[4 * d_in + at] = f32::INFINITY;
            for &isa in Isa::available() {
                let mut y = vec![0.0; m * d_out];
                multiply(isa, Write::Replace, Matrix::new(&x, d_in), &weight, MatrixMut::new(&mut y, d_out));
                for (index, y) in y.iter().enumerate() {
                    let (i, j) = (index / d_out, index % d_out);
                    assert_eq!((y.is_nan(), y.is_infinite()), (i == 17, i != 17 && j == 4), "{isa} [{i}, {j}]: {y}");
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "(5, 2) · (3, 2)ᵀ")]
    fn a_weight_that_does_not_fit_is_refused() {
        let mut data = [0.0; 15];
        multiply(Isa::PORTABLE, Write::Replace, Matrix::new(&[0.0; 10], 2), &[0.0; 7], MatrixMut::new(&mut data, 3));
    }
}
