//! Products with weights of eight or of four bits.
//!
//! A token that is generated reads every weight once and computes almost nothing with it ([`matvec`](crate::matvec)), so its time is that of the bytes, and
//! fewer bytes are less time. Here a row of the weight is what a GGUF file of that type says ([`BlockType`]): blocks of 32 integers $q$ with one scale $d$,
//! $$y_j = \sum_{\text{blocks } b} d_{jb} \sum_{i \in b} q_{ji}\, x_i.$$
//! The numbers of $x$ stay f32. So the result is that of the weight as the blocks say it, but for the order of a sum: what quantising costs lies in the
//! weights alone. (llama.cpp rounds $x$ to eight bits as well, for instructions that multiply integers.)
//!
//! A prompt computes, and gains nothing from fewer bytes. Products with more than one row of $x$ turn some rows of the weight into f32, which stay in the
//! second-level cache while all of $x$ is multiplied with them, as [`matvec`](crate::matvec) and [`few_rows`](crate::few_rows) do.

use std::hint::black_box;
use std::ops::Range;

use candle_core::{Result, bail};
use half::f16;
use rayon::prelude::*;
use transformer::gguf::BlockType;

use crate::Isa;
use crate::few_rows;
use crate::isa::{AHEAD, Arithmetic, per_isa, prefetch};
use crate::lanes::{LANES, sum_lanes};
use crate::matmul::Write;
use crate::matrix::{Matrix, MatrixMut};

use crate::matvec::{self, MAX_ROWS};

/// Integers that share a scale.
pub const BLOCK: usize = 32;

/// Rows of the weight that one task reads: they have the bytes of a quarter as many in f32.
const ROWS_PER_TASK: usize = 4 * matvec::ROWS_PER_TASK;

// ANCHOR: blocks
/// A weight `(d_out, d_in)` in blocks along its rows.
#[derive(Debug, Clone)]
pub struct Blocks {
    code: Code,
    d_in: usize,
    /// `(d_out, d_in / BLOCK)`. In a file each stands before its integers, as an f16; apart, and as f32, it costs a product one instruction and not ten.
    scales: Vec<f32>,
    /// The integers of all blocks.
    packed: Vec<u8>,
}

/// Some rows of them.
#[derive(Debug, Clone, Copy)]
struct Rows<'a> {
    code: Code,
    scales: &'a [f32],
    packed: &'a [u8],
}

/// How a block is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    Q8_0,
    Q4_0,
}

impl Blocks {
    /// Quantises `values`, rows of `d_in`.
    ///
    /// # Errors
    /// If blocks do not fill the rows, the type is neither Q8_0 nor Q4_0, or it cannot hold a value.
    pub fn new(kind: BlockType, values: &[f32], d_in: usize) -> Result<Self> {
        let code = match kind {
            BlockType::Q8_0 => Code::Q8_0,
            BlockType::Q4_0 => Code::Q4_0,
            other => bail!("there is no product with {}, only with Q8_0 and Q4_0", other.name()),
        };
        if d_in == 0 || !d_in.is_multiple_of(BLOCK) || !values.len().is_multiple_of(d_in) {
            bail!("{} numbers in rows of {d_in}: blocks of {BLOCK} do not fill them", values.len());
        }
        let (mut scales, mut packed) = (Vec::new(), Vec::new());
        for block in kind.quantize(values)?.chunks_exact(kind.bytes_per_block()) {
            let (scale, integers) = block.split_at(block.len() - code.bytes_per_block());
            scales.push(f16::from_le_bytes([scale[0], scale[1]]).to_f32());
            packed.extend(integers);
        }
        Ok(Self { code, d_in, scales, packed })
    }

    /// Writes some rows as f32 to `out` `(rows, d_in)`.
    ///
    /// # Panics
    /// If there are fewer, or `out` has another length.
    pub fn rows(&self, isa: Isa, rows: Range<usize>, out: &mut [f32]) {
        assert_eq!(out.len(), rows.len() * self.d_in, "room for rows {rows:?} of {}", self.d_in);
        let blocks = self.d_in / BLOCK;
        let blocks = rows.start * blocks..rows.end * blocks;
        let bytes = self.code.bytes_per_block();
        let packed = &self.packed[blocks.start * bytes..blocks.end * bytes];
        dequantize(isa, Rows { code: self.code, scales: &self.scales[blocks], packed }, out);
    }

    /// d_in.
    pub fn d_in(&self) -> usize {
        self.d_in
    }

    /// d_out.
    pub fn d_out(&self) -> usize {
        self.scales.len() / (self.d_in / BLOCK)
    }

    /// What they take.
    pub fn n_bytes(&self) -> usize {
        size_of_val(self.scales.as_slice()) + self.packed.len()
    }

    fn all(&self) -> Rows<'_> {
        Rows { code: self.code, scales: &self.scales, packed: &self.packed }
    }
}

impl<'a> Rows<'a> {
    /// Parts of so many blocks.
    fn parts(self, n_blocks: usize) -> impl Iterator<Item = Rows<'a>> {
        let packed = self.packed.chunks(n_blocks * self.code.bytes_per_block());
        self.scales.chunks(n_blocks).zip(packed).map(move |(scales, packed)| Rows { scales, packed, ..self })
    }
}
// ANCHOR_END: blocks

impl Code {
    fn bytes_per_block(self) -> usize {
        match self {
            Self::Q8_0 => Q8_0::BYTES,
            Self::Q4_0 => Q4_0::BYTES,
        }
    }
}

// ANCHOR: multiply
/// A weight and where its products with `x` `(rows, d_in)` go: `(rows, d_out)`.
#[derive(Debug)]
pub struct Product<'a> {
    /// The weight.
    pub weight: &'a Blocks,
    /// The results.
    pub out: MatrixMut<'a>,
}

/// Each `out` = or += `x` · `weight`ᵀ; on all threads, one region for all products.
///
/// # Panics
/// If the shapes do not fit.
pub fn multiply<'a>(isa: Isa, write: Write, x: Matrix<'_>, products: impl IntoIterator<Item = Product<'a>>) {
    let (m, d_in) = (x.n_rows(), x.n_cols());
    let n_rows = if m <= MAX_ROWS { ROWS_PER_TASK } else { few_rows::ROWS_PER_TASK };
    let mut tasks = Vec::new();
    for Product { weight, out } in products {
        let shape = (weight.d_out(), weight.d_in);
        assert!((m, shape) == (out.n_rows(), (out.n_cols(), d_in)) && m > 0, "({m}, {d_in}) · {shape:?}ᵀ");
        tasks.extend(weight.all().parts(n_rows * d_in / BLOCK).zip(out.bands(n_rows)));
    }
    if tasks.is_empty() {
        return;
    }
    if m == 1 {
        return tasks.into_par_iter().for_each(|(rows, out)| multiply_blocks(isa, write, x.row(0), rows, out));
    }
    if m <= MAX_ROWS {
        return tasks.into_par_iter().for_each_init(
            || vec![0.0; d_in],
            |row, (rows, out)| {
                for (blocks, out) in rows.parts(d_in / BLOCK).zip(out.bands(1)) {
                    dequantize(isa, blocks, row);
                    matvec::weight_rows(isa, write, x, row, out);
                }
            },
        );
    }
    let panels = few_rows::pack(x);
    tasks.into_par_iter().for_each_init(Vec::new, |numbers, (rows, out)| {
        numbers.resize(out.n_cols() * d_in, 0.0);
        dequantize(isa, rows, numbers);
        few_rows::multiply_rows(isa, write, &panels, numbers, out);
    });
}
// ANCHOR_END: multiply

// ANCHOR: formats
/// How the integers of a block are packed.
trait Packing {
    const BYTES: usize;

    /// The first half of them and the second.
    fn unpack(block: &[u8]) -> [[f32; LANES]; 2];
}

/// 32 of i8.
struct Q8_0;

impl Packing for Q8_0 {
    const BYTES: usize = BLOCK;

    #[inline(always)]
    fn unpack(block: &[u8]) -> [[f32; LANES]; 2] {
        let block = &block[..Self::BYTES];
        let mut halves = [[0.0; LANES]; 2];
        for i in 0..LANES {
            halves[0][i] = f32::from(block[i] as i8);
        }
        for i in 0..LANES {
            halves[1][i] = f32::from(block[i + LANES] as i8);
        }
        halves
    }
}

/// 16 bytes, each with a q + 8 of the first half in its lower four bits and one of the second half in its upper four.
struct Q4_0;

impl Packing for Q4_0 {
    const BYTES: usize = BLOCK / 2;

    #[inline(always)]
    fn unpack(block: &[u8]) -> [[f32; LANES]; 2] {
        let block = &block[..Self::BYTES];
        let mut halves = [[0.0; LANES]; 2];
        for i in 0..LANES {
            halves[0][i] = f32::from((block[i] & 0x0F) as i8 - 8);
        }
        for i in 0..LANES {
            halves[1][i] = f32::from((block[i] >> 4) as i8 - 8);
        }
        halves
    }
}
// ANCHOR_END: formats

// ANCHOR: rows
per_isa! {
    /// Products with one row `x`: blocks are read from the first to the last.
    fn multiply_blocks<A>(write: Write, x: &[f32], rows: Rows<'_>, out: MatrixMut<'_>) {
        match rows.code {
            Code::Q8_0 => dots::<A, Q8_0>(write, x, rows, out),
            Code::Q4_0 => dots::<A, Q4_0>(write, x, rows, out),
        }
    }
}

#[inline(always)]
fn dots<A: Arithmetic, P: Packing>(write: Write, x: &[f32], rows: Rows<'_>, mut out: MatrixMut<'_>) {
    let x = x.as_chunks::<BLOCK>().0;
    let rows = rows.scales.chunks_exact(x.len()).zip(rows.packed.chunks_exact(x.len() * P::BYTES));
    for ((scales, packed), y) in rows.zip(out.row_mut(0)) {
        let mut sums = [0.0; LANES];
        for ((&scale, block), x) in scales.iter().zip(packed.chunks_exact(P::BYTES)).zip(x) {
            prefetch(block, AHEAD);
            let [first, second] = P::unpack(block);
            for i in 0..LANES {
                let of_block = A::mul_add(second[i], x[i + LANES], first[i] * x[i]);
                sums[i] = A::mul_add(scale, of_block, sums[i]);
            }
        }
        let sum = sum_lanes(black_box(sums));
        *y = if write == Write::Add { *y + sum } else { sum };
    }
}

per_isa! {
    /// The numbers of whole blocks.
    fn dequantize<A>(rows: Rows<'_>, out: &mut [f32]) {
        match rows.code {
            Code::Q8_0 => dequantize_blocks::<Q8_0>(rows, out),
            Code::Q4_0 => dequantize_blocks::<Q4_0>(rows, out),
        }
    }
}

#[inline(always)]
fn dequantize_blocks<P: Packing>(rows: Rows<'_>, out: &mut [f32]) {
    let blocks = rows.scales.iter().zip(rows.packed.chunks_exact(P::BYTES));
    for ((&scale, block), out) in blocks.zip(out.as_chunks_mut::<BLOCK>().0) {
        prefetch(block, AHEAD);
        let [first, second] = P::unpack(block);
        for i in 0..LANES {
            out[i] = scale * first[i];
        }
        for i in 0..LANES {
            out[i + LANES] = scale * second[i];
        }
    }
}
// ANCHOR_END: rows

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::numbers;

    const KINDS: [BlockType; 2] = [BlockType::Q8_0, BlockType::Q4_0];

    /// Rows, d_in and d_out: single blocks, edges of tasks and of panels from both sides, few rows and more.
    const SIZES: [(usize, usize, usize); 10] = [
        (1, 32, 1),
        (1, 96, 65),
        (2, 64, 64),
        (3, 32, 63),
        (4, 128, 5),
        (8, 32, 17),
        (9, 32, 7),
        (17, 96, 49),
        (130, 64, 97),
        (600, 32, 48),
    ];

    #[test]
    fn blocks_are_those_of_a_gguf_file() {
        for kind in KINDS {
            let values = numbers(64 * 9, 1, 3.0);
            let blocks = Blocks::new(kind, &values, 64).unwrap();
            let truth = kind.dequantize(&kind.quantize(&values).unwrap());
            for &isa in Isa::available() {
                let mut found = vec![f32::NAN; 64 * 9];
                blocks.rows(isa, 0..9, &mut found);
                assert_eq!(found, truth, "{isa} {kind:?}");
                blocks.rows(isa, 4..6, &mut found[..128]);
                assert_eq!(found[..128], truth[4 * 64..6 * 64], "{isa} {kind:?}");
            }
        }
    }

    #[test]
    fn products_of_every_size_replace_and_add() {
        for kind in KINDS {
            for (m, d_in, d_out) in SIZES {
                // Input and output are windows, and what is around them must stay as it is.
                let x = numbers(m * (d_in + 2), 1, 1.0);
                let x = Matrix::new(&x, d_in + 2).columns(1..d_in + 1);
                let weight = Blocks::new(kind, &numbers(d_out * d_in, 2, 1.0), d_in).unwrap();
                for &isa in Isa::available() {
                    let mut numbers_of_weight = vec![f32::NAN; d_out * d_in];
                    weight.rows(isa, 0..d_out, &mut numbers_of_weight);
                    let mut data = vec![f32::NAN; m * (d_out + 3)];
                    let mut all = MatrixMut::new(&mut data, d_out + 3);
                    for write in [Write::Replace, Write::Add] {
                        let out = all.columns_mut(1..d_out + 1);
                        multiply(isa, write, x, [Product { weight: &weight, out }]);
                    }
                    for (index, y) in data.iter().enumerate() {
                        let (i, j) = (index / (d_out + 3), index % (d_out + 3));
                        if j == 0 || j > d_out {
                            assert!(y.is_nan(), "{isa} {kind:?} ({m}, {d_in}, {d_out}): wrote to [{i}, {j}]");
                            continue;
                        }
                        let row = &numbers_of_weight[(j - 1) * d_in..][..d_in];
                        let truth: f64 =
                            x.row(i).iter().zip(row).map(|(x, w)| 2.0 * f64::from(*x) * f64::from(*w)).sum();
                        // Sums of up to 128 terms below 1.
                        let error = (f64::from(*y) - truth).abs();
                        assert!(error < 2e-5, "{isa} {kind:?} ({m}, {d_in}, {d_out}) [{i}, {j}]: {y}, not {truth}");
                    }
                }
            }
        }
    }

    #[test]
    fn several_products_are_each_as_alone_on_any_number_of_threads() {
        for m in [1, 3, 20] {
            let d_in = 64;
            let x = numbers(m * d_in, 3, 1.0);
            let weights = [(130, BlockType::Q8_0), (1, BlockType::Q4_0), (64, BlockType::Q4_0)];
            let weights = weights.map(|(d_out, kind)| Blocks::new(kind, &numbers(d_out * d_in, 4, 1.0), d_in).unwrap());
            let of = |n_threads: usize, weights: &[&Blocks]| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
                let mut y: Vec<_> = weights.iter().map(|weight| vec![f32::NAN; m * weight.d_out()]).collect();
                let products = weights.iter().zip(&mut y);
                let products = products.map(|(weight, y)| Product { weight, out: MatrixMut::new(y, weight.d_out()) });
                pool.install(|| {
                    multiply(Isa::best(), Write::Replace, Matrix::new(&x, d_in), products.collect::<Vec<_>>())
                });
                y
            };
            let together = of(3, &weights.each_ref());
            for (weight, together) in weights.iter().zip(together) {
                assert_eq!(of(1, &[weight]), [together]);
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refusal = |kind, values: &[f32], d_in| Blocks::new(kind, values, d_in).unwrap_err().to_string();
        assert!(refusal(BlockType::Q8_0, &[0.0; 40], 40).contains("40 numbers in rows of 40: blocks of 32"));
        assert!(refusal(BlockType::Q4_0, &[0.0; 40], 32).contains("rows of 32"));
        assert!(refusal(BlockType::Q6K, &[0.0; 256], 256).contains("no product with Q6_K"));
        let mut values = [1.0; 32];
        values[7] = f32::NAN;
        assert!(refusal(BlockType::Q8_0, &values, 32).contains("NaN cannot be stored as Q8_0"));
        values[7] = 1e30;
        assert!(refusal(BlockType::Q4_0, &values, 32).contains("cannot be stored as Q4_0"));
    }

    #[test]
    #[should_panic(expected = "(1, 32) · (2, 64)ᵀ")]
    fn a_weight_of_another_width_is_refused() {
        let weight = Blocks::new(BlockType::Q8_0, &[1.0; 128], 64).unwrap();
        let mut data = [0.0; 2];
        let out = MatrixMut::new(&mut data, 2);
        multiply(Isa::PORTABLE, Write::Replace, Matrix::new(&[0.0; 32], 32), [Product { weight: &weight, out }]);
    }
}
