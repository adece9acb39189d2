//! What the machine can do at best: the roof of the roofline (Williams, Waterman and Patterson 2009).

use std::time::Instant;

use kernels::Isa;
use kernels::matmul::{Precision, Threads, Write, matmul};
use kernels::matrix::{Matrix, MatrixMut};

/// Side of the square matrices: large enough that packing does not matter.
const SIDE: usize = 1536;
const REPETITIONS: usize = 7;

/// The best of several large products on all threads, in FLOP/s: a measured peak, which no step can beat.
pub fn peak_flops(precision: Precision) -> f64 {
    let (a, b) = (vec![0.5; SIDE * SIDE], vec![0.25; SIDE * SIDE]);
    let mut out = vec![0.0; SIDE * SIDE];
    let flops = 2.0 * (SIDE as f64).powi(3);
    let run = |out: &mut [f32]| {
        let started = Instant::now();
        let (a, b) = (Matrix::new(&a, SIDE), Matrix::new(&b, SIDE));
        matmul(Isa::best(), precision, Threads::All, Write::Replace, a, b, MatrixMut::new(out, SIDE));
        flops / started.elapsed().as_secs_f64()
    };
    (0..REPETITIONS).map(|_| run(&mut out)).fold(0.0, f64::max)
}

/// Bytes a second that all threads together read and write when they copy memory that no cache holds.
pub fn peak_bandwidth() -> f64 {
    use rayon::prelude::*;
    const NUMBERS: usize = 1 << 25; // 128 MiB
    const CHUNK: usize = 1 << 16;
    let source = vec![1.0_f32; NUMBERS];
    let mut target = vec![0.0_f32; NUMBERS];
    let mut run = || {
        let started = Instant::now();
        target.par_chunks_mut(CHUNK).zip(source.par_chunks(CHUNK)).for_each(|(to, from)| to.copy_from_slice(from));
        (2 * NUMBERS * size_of::<f32>()) as f64 / started.elapsed().as_secs_f64()
    };
    (0..REPETITIONS).map(|_| run()).fold(0.0, f64::max)
}
