//! Matrix products: the one operation that most of the time goes to.
//!
//! In f32 the crate `gemm` does it, at the widest instructions the CPU has. With [`Precision::Bf16`] both factors are rounded to bfloat16 while they are packed,
//! products are summed in f32, and a CPU with `vdpbf16ps` does twice the work per instruction; the result stays f32.
#![allow(unsafe_code)]

use crate::Isa;
use crate::matrix::{Matrix, MatrixMut};

// ANCHOR: settings
/// In which precision products are computed. Sums are f32 in all, and so are weights, the residual stream and statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// 24 bits of mantissa.
    #[default]
    F32,
    /// Factors rounded to 11 bits of mantissa by a GPU's tensor cores. A CPU has no such units and computes in f32.
    Tf32,
    /// Factors rounded to 8 bits of mantissa.
    Bf16,
}

/// What happens to the numbers that are already in the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// They are replaced; they may be anything before.
    Replace,
    /// The product is added to them.
    Add,
}

/// Who computes a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// The calling thread: inside a task that is one of many.
    One,
    /// All threads of the pool.
    All,
}
// ANCHOR_END: settings

// ANCHOR: matmul
/// `out` (m × n) = or += `a` (m × k) · `b` (k × n).
///
/// # Panics
/// If the shapes do not fit.
pub fn matmul(
    isa: Isa,
    precision: Precision,
    threads: Threads,
    write: Write,
    a: Matrix<'_>,
    b: Matrix<'_>,
    out: MatrixMut<'_>,
) {
    let (m, k, n) = (a.n_rows(), a.n_cols(), b.n_cols());
    assert!(b.n_rows() == k && out.n_rows() == m && out.n_cols() == n, "({m}, {k}) · ({}, {n})", b.n_rows());
    match precision {
        Precision::F32 | Precision::Tf32 => matmul_f32(threads, write, a, b, out),
        Precision::Bf16 => crate::bf16::matmul(isa, threads, write, a, b, out),
    }
}

fn matmul_f32(threads: Threads, write: Write, a: Matrix<'_>, b: Matrix<'_>, mut out: MatrixMut<'_>) {
    let parallelism = match (threads, rayon::current_num_threads()) {
        (Threads::One, _) | (_, 1) => gemm::Parallelism::None,
        (Threads::All, n) => gemm::Parallelism::Rayon(n),
    };
    let stride = |stride: usize| stride as isize;
    // SAFETY: the shapes fit, and the windows checked their bounds when they were made.
    unsafe {
        gemm::gemm(
            a.n_rows(),
            b.n_cols(),
            a.n_cols(),
            out.as_mut_ptr(),
            1,
            stride(out.row_stride()),
            write == Write::Add,
            a.as_ptr(),
            stride(a.col_stride()),
            stride(a.row_stride()),
            b.as_ptr(),
            stride(b.col_stride()),
            stride(b.row_stride()),
            1.0_f32,
            1.0_f32,
            false,
            false,
            false,
            parallelism,
        );
    }
}
// ANCHOR_END: matmul
