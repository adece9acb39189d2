//! From how many rows on a product should pack the weight: `cargo run --release -p kernels --example few_rows`.
//!
//! Each line multiplies the same rows with many weights in turn, as a model's layers do, by the kernels that there are for f32. GFLOP/s, medians.

use std::time::Instant;

use kernels::Isa;
use kernels::few_rows;
use kernels::matmul::{Precision, Threads, Write, matmul};
use kernels::matrix::{Matrix, MatrixMut};
use kernels::matvec::{self, Product, matvec};

const REPETITIONS: usize = 9;

/// Bytes of all weights of a line: more than any cache has.
const BYTES: usize = 128 << 20;

/// d_in and d_out of a block's products.
const SHAPES: [(usize, usize); 4] = [(576, 576), (576, 1536), (1536, 576), (2048, 768)];

fn main() {
    let isa = Isa::best();
    println!(
        "{isa}, {} threads\n{:>12} {:>5} {:>8} {:>9} {:>8}",
        rayon::current_num_threads(),
        "d_in, d_out",
        "rows",
        "matvec",
        "few_rows",
        "matmul"
    );
    for (d_in, d_out) in SHAPES {
        let weights: Vec<Vec<f32>> = (0..BYTES / (4 * d_in * d_out)).map(|seed| numbers(d_in * d_out, seed)).collect();
        for m in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048] {
            let (x, mut y) = (numbers(m * d_in, 1), vec![0.0; m * d_out]);
            let x = Matrix::new(&x, d_in);
            let weights = &weights[..weights.len().min((4096 / m).max(2))];
            let gflops = |seconds: f64| 2e-9 * (m * d_in * d_out * weights.len()) as f64 / seconds;
            let mut speeds = [const { Vec::new() }; 3];
            for _ in 0..REPETITIONS {
                let mut time = |kernel: usize, multiply: &dyn Fn(&[f32], MatrixMut<'_>)| {
                    let started = Instant::now();
                    weights.iter().for_each(|weight| multiply(weight, MatrixMut::new(&mut y, d_out)));
                    speeds[kernel].push(gflops(started.elapsed().as_secs_f64()));
                };
                if m <= matvec::MAX_ROWS {
                    time(0, &|weight, out| matvec(isa, Write::Replace, x, [Product { weight, out }]));
                }
                time(1, &|weight, out| few_rows::multiply(isa, Write::Replace, x, weight, out));
                time(2, &|weight, out| {
                    let weight = Matrix::new(weight, d_in).transposed();
                    matmul(isa, Precision::F32, Threads::All, Write::Replace, x, weight, out);
                });
            }
            let [matvec, few_rows, matmul] = speeds.map(median);
            println!("{d_in:>5}, {d_out:>5} {m:>5} {matvec:>8} {few_rows:>9} {matmul:>8}");
        }
    }
}

fn median(mut speeds: Vec<f64>) -> String {
    speeds.sort_by(f64::total_cmp);
    speeds.get(speeds.len() / 2).map_or_else(|| "-".to_string(), |speed| format!("{speed:.0}"))
}

fn numbers(n: usize, seed: usize) -> Vec<f32> {
    (0..n).map(|i| (i * 31 + seed * 17) as u32 % 97).map(|i| i as f32 / 97.0 - 0.5).collect()
}
