//! The innermost loop: a tile of the product stays in registers while k runs.
//!
//! A tile of 8 rows × 48 columns takes 24 of the 32 registers. A step along k loads 3 lines of the right factor and 8 pairs of the left one, each
//! pair into all lanes, for 24 instructions that multiply: a CPU that starts one or two of those each cycle finds the time to load.
#![allow(unsafe_code)]

use std::arch::x86_64::*;
use std::marker::PhantomData;

use super::pack::{Line, Packed, STRIP, mask};
use crate::matmul::Write;
use crate::matrix::MatrixMut;

/// Rows of a tile: half a strip.
const TILE_ROWS: usize = 8;

/// Strips of columns in a tile.
pub const TILE_STRIPS: usize = 3;

// ANCHOR: output
/// The output, to be written by several threads.
#[derive(Debug)]
pub struct Output<'a> {
    start: *mut f32,
    n_rows: usize,
    n_cols: usize,
    row_stride: usize,
    window: PhantomData<MatrixMut<'a>>,
}

// SAFETY: only `multiply_block` writes, whose caller answers for it.
unsafe impl Sync for Output<'_> {}

impl<'a> Output<'a> {
    /// Takes the window until the last thread is done.
    pub fn new(mut out: MatrixMut<'a>) -> Self {
        let (start, row_stride) = (out.as_mut_ptr(), out.row_stride());
        Self { start, n_rows: out.n_rows(), n_cols: out.n_cols(), row_stride, window: PhantomData }
    }
}
// ANCHOR_END: output

// ANCHOR: block
/// Some rows of the left factor times some columns of the right one. The shorter of the two is gone through again and again, so it should stay in a cache.
///
/// # Safety
/// No other thread may be writing these rows of these columns.
#[target_feature(enable = "avx512f,avx512bf16")]
pub unsafe fn multiply_block(write: Write, left: &Packed<'_>, right: &Packed<'_>, out: &Output<'_>) {
    assert!(left.vectors.end <= out.n_rows && right.vectors.end <= out.n_cols && left.n_lines == right.n_lines);
    let rows = left.vectors.clone().step_by(TILE_ROWS);
    let columns = right.vectors.clone().step_by(TILE_STRIPS * STRIP);
    let multiply_tile = |row: usize, column: usize| {
        let tile = Tile {
            // SAFETY: the tile begins in the output.
            start: unsafe { out.start.add(row * out.row_stride + column) },
            n_rows: TILE_ROWS.min(left.vectors.end - row),
            n_cols: (TILE_STRIPS * STRIP).min(right.vectors.end - column),
            row_stride: out.row_stride,
        };
        let (a, first) = (left.strips(row, 1), row % STRIP);
        // SAFETY: the tile is the caller's alone.
        unsafe {
            match tile.n_cols.div_ceil(STRIP) {
                1 => multiply_tile::<1>(write, a, first, right.strips(column, 1), tile),
                2 => multiply_tile::<2>(write, a, first, right.strips(column, 2), tile),
                _ => multiply_tile::<TILE_STRIPS>(write, a, first, right.strips(column, TILE_STRIPS), tile),
            }
        }
    };
    if left.vectors.len() < right.vectors.len() {
        for column in columns {
            rows.clone().for_each(|row| multiply_tile(row, column));
        }
    } else {
        for row in rows {
            columns.clone().for_each(|column| multiply_tile(row, column));
        }
    }
}
// ANCHOR_END: block

// ANCHOR: tile
/// At most 8 rows and as many columns as the strips have.
struct Tile {
    start: *mut f32,
    n_rows: usize,
    n_cols: usize,
    row_stride: usize,
}

/// Vectors `first..first + 8` of the strip `a` times those of the strips `b`.
///
/// # Safety
/// The tile must be in the output, and no other thread may be writing it.
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn multiply_tile<const STRIPS: usize>(write: Write, a: &[Line], first: usize, b: &[Line], tile: Tile) {
    let place = |i: usize, strip: usize| tile.start.wrapping_add(i * tile.row_stride + strip * STRIP);
    for i in 0..tile.n_rows {
        for strip in 0..STRIPS {
            // The output is seldom in a cache: ask for it now, and it comes while k runs.
            _mm_prefetch::<_MM_HINT_T0>(place(i, strip).cast());
        }
    }
    let sums = sum_products::<STRIPS>(a, first, b);
    for (i, sums) in sums.iter().enumerate().take(tile.n_rows) {
        for (strip, &sum) in sums.iter().enumerate() {
            let (place, mask) = (place(i, strip), mask(tile.n_cols - strip * STRIP));
            // SAFETY: the mask excludes columns beyond the tile.
            unsafe {
                let sum = match write {
                    Write::Replace => sum,
                    Write::Add => _mm512_add_ps(_mm512_maskz_loadu_ps(mask, place), sum),
                };
                _mm512_mask_storeu_ps(place, mask, sum);
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn sum_products<const STRIPS: usize>(a: &[Line], first: usize, b: &[Line]) -> [[__m512; STRIPS]; TILE_ROWS] {
    let n_lines = a.len();
    assert!(b.len() == STRIPS * n_lines && first + TILE_ROWS <= STRIP);
    let mut strips = [b; STRIPS];
    for (i, strip) in strips.iter_mut().enumerate() {
        *strip = &b[i * n_lines..][..n_lines];
    }
    let mut sums = [[_mm512_setzero_ps(); STRIPS]; TILE_ROWS];
    for (p, a) in a.iter().enumerate() {
        for (i, sums) in sums.iter_mut().enumerate() {
            let a = pairs(_mm512_set1_epi32(a.0[first + i].cast_signed()));
            for (sum, b) in sums.iter_mut().zip(strips) {
                *sum = _mm512_dpbf16_ps(*sum, a, pairs(b[p].load()));
            }
        }
    }
    sums
}
// ANCHOR_END: tile

/// A register as pairs of bfloat16.
#[inline]
#[target_feature(enable = "avx512f")]
fn pairs(register: __m512i) -> __m512bh {
    // SAFETY: both types are a register of 512 bits.
    unsafe { std::mem::transmute(register) }
}
