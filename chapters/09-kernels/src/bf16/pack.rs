//! Factors rounded to bfloat16, in the order in which the kernel reads them.
//!
//! `vdpbf16ps` multiplies 16 pairs of bfloat16 with 16 others and adds both products of each pair to one of 16 sums in f32. A pair is two neighbours
//! along k, the dimension that is summed over. So 16 vectors along k, rows of the left factor or columns of the right one, are packed as a strip:
//! its line p holds elements 2p and 2p + 1 of each of them. Beyond the end of k there are zeros, up to a multiple of 32.
#![allow(unsafe_code)]

use std::arch::x86_64::*;
use std::ops::Range;

use crate::matrix::Matrix;

/// Vectors of a strip: the pairs that a register of 512 bits holds.
pub const STRIP: usize = 16;

// ANCHOR: packed
/// A pair of bfloat16 of each vector of a strip, the earlier one in the lower half.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Line(pub [u32; STRIP]);

impl Line {
    /// Pairs of zeros.
    pub const ZERO: Self = Self([0; STRIP]);

    /// As a register.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub fn load(&self) -> __m512i {
        // SAFETY: a line has the size and the alignment of a register.
        unsafe { _mm512_load_si512(std::ptr::from_ref(self).cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn store(&mut self, register: __m512i) {
        // SAFETY: as above.
        unsafe { _mm512_store_si512(std::ptr::from_mut(self).cast(), register) }
    }
}

/// Strips one after the other: some of a factor's vectors.
#[derive(Debug)]
pub struct Packed<'a> {
    /// Which vectors of the factor. The first is a multiple of [`STRIP`].
    pub vectors: Range<usize>,
    /// All lines.
    pub lines: &'a [Line],
    /// Lines of a strip.
    pub n_lines: usize,
}

/// Lines of a strip of vectors of k elements.
pub fn lines_per_strip(k: usize) -> usize {
    k.div_ceil(2 * STRIP) * STRIP
}
// ANCHOR_END: packed

impl<'a> Packed<'a> {
    /// Packs some rows of `source`, which has k along its rows: the left factor, or the right one transposed.
    ///
    /// # Panics
    /// If there are too few lines or rows, or neither rows nor columns are contiguous in memory.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub fn new(source: Matrix<'_>, vectors: Range<usize>, lines: &'a mut [Line]) -> Self {
        let n_lines = lines_per_strip(source.n_cols());
        let lines = &mut lines[..vectors.len().div_ceil(STRIP) * n_lines];
        let source = source.rows(vectors.clone());
        if source.col_stride() == 1 {
            pack_rows(source, lines, n_lines);
        } else {
            assert_eq!(source.row_stride(), 1, "neither rows nor columns are contiguous");
            pack_columns(source, lines, n_lines);
        }
        Self { vectors, lines, n_lines }
    }

    /// Lines of some strips, from that of a vector on.
    pub fn strips(&self, vector: usize, n_strips: usize) -> &'a [Line] {
        &self.lines[(vector - self.vectors.start) / STRIP * self.n_lines..][..n_strips * self.n_lines]
    }
}

// ANCHOR: rows
/// Each row is contiguous: 32 numbers of it become the 16 pairs of a register, and 16 such registers are transposed into 16 lines.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn pack_rows(source: Matrix<'_>, lines: &mut [Line], n_lines: usize) {
    for (strip, lines) in lines.chunks_exact_mut(n_lines).enumerate() {
        let rows = pointers(source, strip * STRIP);
        for (block, lines) in lines.as_chunks_mut::<STRIP>().0.iter_mut().enumerate() {
            let start = block * 2 * STRIP;
            let n = source.n_cols() - start;
            let mut registers = [_mm512_setzero_si512(); STRIP];
            for i in 0..STRIP {
                let first = rows[i].wrapping_add(start);
                // SAFETY: n numbers of the row are left.
                registers[i] =
                    unsafe { round(load(first, n), load(first.wrapping_add(STRIP), n.saturating_sub(STRIP))) };
            }
            transpose(&mut registers);
            for i in 0..STRIP {
                lines[i].store(registers[i]);
            }
        }
    }
}

/// The starts of 16 rows. Where the matrix has fewer, the last one is repeated: what comes of the copies is not written anywhere.
fn pointers(source: Matrix<'_>, first: usize) -> [*const f32; STRIP] {
    std::array::from_fn(|i| source.row((first + i).min(source.n_rows() - 1)).as_ptr())
}

/// Transposes 16 × 16 numbers of 32 bits: the upper right quarter changes places with the lower left one, then so do the quarters of each quarter.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose(rows: &mut [__m512i; STRIP]) {
    exchange::<8>(rows);
    exchange::<4>(rows);
    exchange::<2>(rows);
    exchange::<1>(rows);
}

#[inline]
#[target_feature(enable = "avx512f")]
fn exchange<const WIDTH: usize>(rows: &mut [__m512i; STRIP]) {
    let (upper, lower) = (upper_halves(WIDTH).load(), lower_halves(WIDTH).load());
    for i in 0..STRIP {
        if i & WIDTH == 0 {
            let (x, y) = (rows[i], rows[i + WIDTH]);
            rows[i] = _mm512_permutex2var_epi32(x, upper, y);
            rows[i + WIDTH] = _mm512_permutex2var_epi32(x, lower, y);
        }
    }
}

/// Indices that take the first of each two groups of `width` numbers, from one register and the other by turns: 16 + j is number j of the second.
fn upper_halves(width: usize) -> Line {
    Line(std::array::from_fn(|j| if j & width == 0 { j } else { j - width + STRIP } as u32))
}

/// Likewise the second of each two groups.
fn lower_halves(width: usize) -> Line {
    Line(std::array::from_fn(|j| if j & width == 0 { j + width } else { j + STRIP } as u32))
}
// ANCHOR_END: rows

// ANCHOR: columns
/// Each column is contiguous: 16 numbers of column 2p and 16 of column 2p + 1 are line p when they take turns.
///
/// All strips go along k together, because 16 numbers are too few to read in one place of the memory.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn pack_columns(source: Matrix<'_>, lines: &mut [Line], n_lines: usize) {
    let turns = turns().load();
    let column = |j: usize| (source.as_ptr().wrapping_add(j * source.col_stride()), j < source.n_cols());
    for p in 0..n_lines {
        let [(first, has_first), (second, has_second)] = [column(2 * p), column(2 * p + 1)];
        for (strip, lines) in lines.chunks_exact_mut(n_lines).enumerate() {
            let start = strip * STRIP;
            let n = source.n_rows() - start;
            // SAFETY: n numbers of a column are left, if there is such a column.
            let pairs = unsafe {
                let first = load(first.wrapping_add(start), if has_first { n } else { 0 });
                round(first, load(second.wrapping_add(start), if has_second { n } else { 0 }))
            };
            lines[p].store(_mm512_permutexvar_epi16(turns, pairs));
        }
    }
}

/// Indices of 16 bits that pair number i with number 16 + i.
fn turns() -> Line {
    Line(std::array::from_fn(|i| (i | (STRIP + i) << 16) as u32))
}
// ANCHOR_END: columns

/// The first 16 of `n` numbers; zeros if there are fewer.
///
/// # Safety
/// The n numbers, or 16 of them, must be readable.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load(numbers: *const f32, n: usize) -> __m512 {
    // SAFETY: the mask excludes what is not there.
    unsafe { _mm512_maskz_loadu_ps(mask(n), numbers) }
}

/// The first n lanes.
#[inline(always)]
pub fn mask(n: usize) -> __mmask16 {
    if n >= STRIP { !0 } else { (1 << n) - 1 }
}

/// 32 numbers in bfloat16, `first` in the lower half.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn round(first: __m512, second: __m512) -> __m512i {
    // SAFETY: both types are a register of 512 bits.
    unsafe { std::mem::transmute(_mm512_cvtne2ps_pbh(second, first)) }
}
