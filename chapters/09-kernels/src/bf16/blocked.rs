//! A large product in pieces that fit the caches.
//!
//! After Goto and van de Geijn, Anatomy of High-Performance Matrix Multiplication (ACM Transactions on Mathematical Software 34(3), 2008): blocks of
//! both factors are copied into the order in which the `kernel` reads them, and each number that is copied is used hundreds of times. The
//! copy also rounds and, where need be, transposes, so the kernel knows one format.
#![allow(unsafe_code)]

use super::kernel::{Output, TILE_STRIPS, multiply_block};
use super::pack::{Line, Packed, STRIP, lines_per_strip};
use super::{Pool, for_each, with_buffer};
use crate::matmul::{Threads, Write};
use crate::matrix::{Matrix, MatrixMut};

/// Most of k that is summed before the output is touched. A longer block writes the output less often, a shorter one leaves room in the caches.
const K_BLOCK: usize = 1024;

/// Rows of the left factor or columns of the right one that a task packs and multiplies. With K_BLOCK of k they stay in the level-2 cache.
const OWN: usize = 2 * TILE_STRIPS * STRIP;

/// Rows or columns that a task packs for all.
const SHARED: usize = 4 * STRIP;

thread_local! {
    static LINES: Pool<Line> = const { Pool::new(Vec::new()) };
}

// ANCHOR: multiply
/// `out` = or += `a` · `b`. The smaller factor is packed for all tasks; each task packs a piece of the larger one for itself and multiplies the two.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub fn multiply(threads: Threads, write: Write, a: Matrix<'_>, b: Matrix<'_>, out: MatrixMut<'_>) {
    let b = b.transposed(); // (n, k): now k runs along the rows of both
    let (k, a_is_smaller) = (a.n_cols(), a.n_rows() < b.n_rows());
    let out = Output::new(out);
    let k_block = k.div_ceil(k.div_ceil(K_BLOCK)).next_multiple_of(2 * STRIP);
    for start in (0..k).step_by(k_block) {
        let write = if start == 0 { write } else { Write::Add };
        let part = start..k.min(start + k_block);
        let (a, b) = (a.columns(part.clone()), b.columns(part));
        let (shared, own) = if a_is_smaller { (a, b) } else { (b, a) };
        let n_lines = lines_per_strip(a.n_cols());
        with_buffer(&LINES, shared.n_rows().div_ceil(STRIP) * n_lines, Line::ZERO, |lines| {
            for_each(threads, lines.chunks_mut(SHARED / STRIP * n_lines).enumerate(), |(task, lines)| {
                Packed::new(shared, piece(task, SHARED, shared.n_rows()), lines);
            });
            let shared = Packed { vectors: 0..shared.n_rows(), lines, n_lines };
            for_each(threads, 0..own.n_rows().div_ceil(OWN), |task| {
                with_buffer(&LINES, OWN / STRIP * n_lines, Line::ZERO, |lines| {
                    let own = Packed::new(own, piece(task, OWN, own.n_rows()), lines);
                    let (left, right) = if a_is_smaller { (&shared, &own) } else { (&own, &shared) };
                    // SAFETY: the rows, or else the columns, of the output are those of no other task.
                    unsafe { multiply_block(write, left, right, &out) };
                });
            });
        });
    }
}

/// Piece number `task` of `n` things, `size` at a time.
fn piece(task: usize, size: usize, n: usize) -> std::ops::Range<usize> {
    task * size..n.min((task + 1) * size)
}
// ANCHOR_END: multiply
