//! RMSNorm (Zhang and Sennrich 2019, arXiv 1910.07467) in one pass over each row, forward and backward.
//!
//! With $r = (\tfrac1d \sum_j x_j^2 + \epsilon)^{-1/2}$ the norm is $y_j = x_j\, r\, w_j$. From $\partial r / \partial x_j = -r^3 x_j / d$ and the
//! gradient $g$ of the loss with respect to $y$,
//! $$\frac{\partial L}{\partial x_j} = r\, g_j w_j - \frac{r^3}{d}\, x_j \sum_i g_i w_i x_i, \qquad
//!   \frac{\partial L}{\partial w_j} = \sum_{\text{rows}} g_j\, x_j\, r.$$
//! Forward keeps r of each row: one number instead of the row's intermediate results.

use rayon::prelude::*;

use crate::Isa;
use crate::isa::per_isa;
use crate::lanes::{LANES, dot, sum_lanes};
use crate::matmul::Write;

/// Rows that one task works on: enough to outweigh the cost of handing it out, and a fixed number, so that sums do not depend on the threads.
const ROWS_PER_TASK: usize = 32;

// ANCHOR: forward
/// Norms each row of `x` `(rows, d)` into `y` `(rows, d)` and keeps 1/rms of each in `inverse_rms` `(rows)`; `weight` is `(d)`.
///
/// # Panics
/// If the lengths do not fit.
pub fn forward(isa: Isa, x: &[f32], weight: &[f32], eps: f32, y: &mut [f32], inverse_rms: &mut [f32]) {
    let d = weight.len();
    assert!(x.len() == y.len() && x.len() == inverse_rms.len() * d, "rows of {d}");
    y.par_chunks_mut(ROWS_PER_TASK * d)
        .zip(inverse_rms.par_chunks_mut(ROWS_PER_TASK))
        .zip(x.par_chunks(ROWS_PER_TASK * d))
        .for_each(|((y, inverse_rms), x)| forward_rows(isa, x, weight, eps, y, inverse_rms));
}

per_isa! {
    fn forward_rows<A>(x: &[f32], weight: &[f32], eps: f32, y: &mut [f32], inverse_rms: &mut [f32]) {
        let d = weight.len();
        for ((x, y), inverse_rms) in x.chunks_exact(d).zip(y.chunks_exact_mut(d)).zip(inverse_rms) {
            let r = 1.0 / (dot::<A>(x, x) / d as f32 + eps).sqrt();
            for ((y, x), w) in y.iter_mut().zip(x).zip(weight) {
                *y = x * r * w;
            }
            *inverse_rms = r;
        }
    }
}
// ANCHOR_END: forward

/// The norm once more, with 1/rms of each row from [`forward`]: what is cheap to compute need not be kept.
///
/// # Panics
/// If the lengths do not fit.
pub fn apply(isa: Isa, x: &[f32], weight: &[f32], inverse_rms: &[f32], y: &mut [f32]) {
    let d = weight.len();
    assert!(x.len() == y.len() && x.len() == inverse_rms.len() * d, "rows of {d}");
    y.par_chunks_mut(ROWS_PER_TASK * d)
        .zip(inverse_rms.par_chunks(ROWS_PER_TASK))
        .zip(x.par_chunks(ROWS_PER_TASK * d))
        .for_each(|((y, inverse_rms), x)| apply_rows(isa, x, weight, inverse_rms, y));
}

per_isa! {
    fn apply_rows<A>(x: &[f32], weight: &[f32], inverse_rms: &[f32], y: &mut [f32]) {
        let d = weight.len();
        for ((x, y), r) in x.chunks_exact(d).zip(y.chunks_exact_mut(d)).zip(inverse_rms) {
            for ((y, x), w) in y.iter_mut().zip(x).zip(weight) {
                *y = x * r * w;
            }
        }
    }
}

// ANCHOR: backward
/// Writes the gradient of `x` to `dx`, or adds it, and adds the gradient of the weight to `dweight`; `gradient` is that of `y`. Shapes as in
/// [`forward`].
///
/// # Panics
/// If the lengths do not fit.
pub fn backward(
    isa: Isa,
    (x, weight, inverse_rms): (&[f32], &[f32], &[f32]),
    gradient: &[f32],
    write: Write,
    dx: &mut [f32],
    dweight: &mut [f32],
) {
    let d = weight.len();
    assert!(x.len() == dx.len() && x.len() == gradient.len() && x.len() == inverse_rms.len() * d, "rows of {d}");
    assert_eq!(dweight.len(), d);
    let partial: Vec<Vec<f32>> = dx
        .par_chunks_mut(ROWS_PER_TASK * d)
        .zip(inverse_rms.par_chunks(ROWS_PER_TASK))
        .zip(x.par_chunks(ROWS_PER_TASK * d).zip(gradient.par_chunks(ROWS_PER_TASK * d)))
        .map(|((dx, inverse_rms), (x, gradient))| {
            let mut dweight = vec![0.0; d];
            backward_rows(isa, x, weight, inverse_rms, gradient, write, dx, &mut dweight);
            dweight
        })
        .collect();
    // In the order of the rows, whoever was ready first.
    for rows in &partial {
        for (sum, part) in dweight.iter_mut().zip(rows) {
            *sum += part;
        }
    }
}

per_isa! {
    fn backward_rows<A>(
        x: &[f32],
        weight: &[f32],
        inverse_rms: &[f32],
        gradient: &[f32],
        write: Write,
        dx: &mut [f32],
        dweight: &mut [f32],
    ) {
        let d = weight.len();
        let rows = x.chunks_exact(d).zip(gradient.chunks_exact(d)).zip(dx.chunks_exact_mut(d)).zip(inverse_rms);
        for (((x, g), dx), &r) in rows {
            let c = dot_of_three::<A>(g, weight, x) * r * r * r / d as f32;
            for j in 0..d {
                dweight[j] = A::mul_add(g[j] * x[j], r, dweight[j]);
            }
            match write {
                Write::Replace => (0..d).for_each(|j| dx[j] = A::mul_add(g[j] * weight[j], r, -c * x[j])),
                Write::Add => (0..d).for_each(|j| dx[j] += A::mul_add(g[j] * weight[j], r, -c * x[j])),
            }
        }
    }
}
// ANCHOR_END: backward

/// Σ aᵢ bᵢ cᵢ.
#[inline(always)]
fn dot_of_three<A: crate::isa::Arithmetic>(a: &[f32], b: &[f32], c: &[f32]) -> f32 {
    let n = a.len();
    let (b, c) = (&b[..n], &c[..n]);
    let mut lanes = [0.0; LANES];
    let mut start = 0;
    while start + LANES <= n {
        for i in 0..LANES {
            lanes[i] = A::mul_add(a[start + i] * b[start + i], c[start + i], lanes[i]);
        }
        start += LANES;
    }
    let rest = (start..n).fold(0.0, |sum, i| A::mul_add(a[i] * b[i], c[i], sum));
    sum_lanes(lanes) + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(n: usize, seed: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * 7919 + seed * 104_729) % 2003) as f32 / 1000.0 - 1.0).collect()
    }

    /// Σ gᵢ yᵢ of one row in f64: a loss whose gradient with respect to y is g.
    fn loss(x: &[f64], weight: &[f64], g: &[f64], eps: f64) -> f64 {
        let mean_square = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
        let r = (mean_square + eps).sqrt().recip();
        x.iter().zip(weight).zip(g).map(|((x, w), g)| x * r * w * g).sum()
    }

    fn slope(f: impl Fn(f64) -> f64) -> f64 {
        const H: f64 = 1e-5;
        (f(H) - f(-H)) / (2.0 * H)
    }

    #[test]
    fn values_and_gradients_are_those_of_the_formula() {
        const EPS: f32 = 1e-5;
        for &isa in Isa::available() {
            for (n_rows, d) in [(1, 1), (2, 3), (33, 16), (5, 100), (40, 65)] {
                let (x, weight, g) = (values(n_rows * d, 1), values(d, 2), values(n_rows * d, 3));
                let (mut y, mut r) = (vec![f32::NAN; n_rows * d], vec![f32::NAN; n_rows]);
                forward(isa, &x, &weight, EPS, &mut y, &mut r);
                let (mut dx, mut dweight) = (vec![f32::NAN; n_rows * d], vec![0.0; d]);
                backward(isa, (&x, &weight, &r), &g, Write::Replace, &mut dx, &mut dweight);
                let wide = |v: &[f32]| v.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
                let weight_64 = wide(&weight);
                let mut expected_dweight = vec![0.0; d];
                for row in 0..n_rows {
                    let range = row * d..(row + 1) * d;
                    let (x, g, y) = (wide(&x[range.clone()]), wide(&g[range.clone()]), &y[range.clone()]);
                    let from_y: f64 = y.iter().zip(&g).map(|(y, g)| f64::from(*y) * g).sum();
                    let eps = f64::from(EPS);
                    // Sums of up to 100 terms of order 1 in f32.
                    assert!((from_y - loss(&x, &weight_64, &g, eps)).abs() < 2e-5, "{isa} {n_rows} x {d}");
                    for j in 0..d {
                        let nudged = |v: &[f64], h: f64| {
                            let mut v = v.to_vec();
                            v[j] += h;
                            v
                        };
                        let of_x = slope(|h| loss(&nudged(&x, h), &weight_64, &g, eps));
                        let found = f64::from(dx[row * d + j]);
                        assert!((found - of_x).abs() < 1e-4 * (1.0 + of_x.abs()), "{isa} dx {found}, not {of_x}");
                        expected_dweight[j] += slope(|h| loss(&x, &nudged(&weight_64, h), &g, eps));
                    }
                }
                for (found, expected) in dweight.iter().zip(&expected_dweight) {
                    assert!((f64::from(*found) - expected).abs() < 1e-4 * (1.0 + expected.abs()), "{isa} dweight");
                }
            }
        }
    }

    #[test]
    fn adding_is_replacing_and_a_sum() {
        let (isa, d) = (Isa::best(), 48);
        let (x, weight, g) = (values(3 * d, 1), values(d, 2), values(3 * d, 3));
        let (mut y, mut r) = (vec![0.0; 3 * d], vec![0.0; 3]);
        forward(isa, &x, &weight, 1e-5, &mut y, &mut r);
        let (mut alone, mut added, mut dweight) = (vec![f32::NAN; 3 * d], vec![1.0; 3 * d], vec![0.0; d]);
        backward(isa, (&x, &weight, &r), &g, Write::Replace, &mut alone, &mut dweight);
        let once = dweight.clone();
        backward(isa, (&x, &weight, &r), &g, Write::Add, &mut added, &mut dweight);
        for i in 0..3 * d {
            assert!((added[i] - alone[i] - 1.0).abs() < 1e-6);
        }
        assert!(dweight.iter().zip(&once).all(|(twice, once)| (twice - 2.0 * once).abs() < 1e-5));
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let (isa, d, n_rows) = (Isa::best(), 96, 500);
        let (x, weight, g) = (values(n_rows * d, 1), values(d, 2), values(n_rows * d, 3));
        let run = |n_threads: usize| {
            let (mut y, mut r) = (vec![0.0; n_rows * d], vec![0.0; n_rows]);
            let (mut dx, mut dweight) = (vec![0.0; n_rows * d], vec![0.0; d]);
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            pool.install(|| {
                forward(isa, &x, &weight, 1e-5, &mut y, &mut r);
                backward(isa, (&x, &weight, &r), &g, Write::Replace, &mut dx, &mut dweight);
            });
            (y, dx, dweight)
        };
        assert_eq!(run(1), run(3));
    }
}
