//! SwiGLU's gate (Shazeer 2020, arXiv 2002.05202) in one pass, forward and backward.
//!
//! With $\sigma(x) = 1 / (1 + e^{-x})$ and $\operatorname{silu}(x) = x\,\sigma(x)$ the output is $h = \operatorname{silu}(a)\, b$ for the gate $a$ and the
//! value $b$ that it lets through ("up"). From $\operatorname{silu}'(a) = \sigma(a)\,(1 + a\,(1 - \sigma(a)))$ and the gradient $g$ of the loss with respect to $h$,
//! $$\frac{\partial L}{\partial a} = g\, b\, \sigma(a)\,(1 + a\,(1 - \sigma(a))), \qquad \frac{\partial L}{\partial b} = g\, a\,\sigma(a).$$
//! Nothing is kept for the way back but the input: σ(a) is cheaper to compute again than to read from memory.
//!
//! One product makes gate and value side by side, so the packed functions take rows of both; the separate ones take two slices. An |a| beyond 10³⁰ is not
//! served: the exponential saturates, so silu(−10³⁸) would be −0.6 instead of 0.

use rayon::prelude::*;

use crate::Isa;
use crate::isa::per_isa;
use crate::lanes::sigmoid;

/// Rows that one task works on.
const ROWS_PER_TASK: usize = 16;
/// Numbers of each slice that one task works on where there are no rows.
const NUMBERS_PER_TASK: usize = 16_384;

// ANCHOR: forward
/// Writes silu(gate) · up to `out` `(rows, d_ff)`; a row of `gate_up` `(rows, 2 · d_ff)` is the gate, then up.
///
/// # Panics
/// If the lengths do not fit.
pub fn forward(isa: Isa, gate_up: &[f32], d_ff: usize, out: &mut [f32]) {
    assert!(d_ff > 0 && out.len().is_multiple_of(d_ff) && gate_up.len() == 2 * out.len(), "rows of {d_ff}");
    out.par_chunks_mut(ROWS_PER_TASK * d_ff).zip(gate_up.par_chunks(ROWS_PER_TASK * 2 * d_ff)).for_each(
        |(out, gate_up)| {
            for (out, gate_up) in out.chunks_exact_mut(d_ff).zip(gate_up.chunks_exact(2 * d_ff)) {
                let (gate, up) = gate_up.split_at(d_ff);
                forward_row(isa, gate, up, out);
            }
        },
    );
}

per_isa! {
    pub(crate) fn forward_row<A>(gate: &[f32], up: &[f32], out: &mut [f32]) {
        for ((gate, up), out) in gate.iter().zip(up).zip(out) {
            *out = gate * sigmoid::<A>(*gate) * up;
        }
    }
}
// ANCHOR_END: forward

// ANCHOR: backward
/// Writes the gradient of `gate_up` to `d_gate_up` `(rows, 2 · d_ff)`; `gradient` `(rows, d_ff)` is that of the output.
///
/// # Panics
/// If the lengths do not fit.
pub fn backward(isa: Isa, gate_up: &[f32], d_ff: usize, gradient: &[f32], d_gate_up: &mut [f32]) {
    assert!(d_ff > 0 && gradient.len().is_multiple_of(d_ff), "rows of {d_ff}");
    assert!(gate_up.len() == 2 * gradient.len() && d_gate_up.len() == gate_up.len(), "rows of {d_ff}");
    d_gate_up
        .par_chunks_mut(ROWS_PER_TASK * 2 * d_ff)
        .zip(gate_up.par_chunks(ROWS_PER_TASK * 2 * d_ff))
        .zip(gradient.par_chunks(ROWS_PER_TASK * d_ff))
        .for_each(|((d_gate_up, gate_up), gradient)| {
            let inputs = gate_up.chunks_exact(2 * d_ff).zip(gradient.chunks_exact(d_ff));
            for (d_gate_up, (gate_up, gradient)) in d_gate_up.chunks_exact_mut(2 * d_ff).zip(inputs) {
                let (gate, up) = gate_up.split_at(d_ff);
                let (d_gate, d_up) = d_gate_up.split_at_mut(d_ff);
                backward_row(isa, gate, up, gradient, d_gate, d_up);
            }
        });
}

per_isa! {
    fn backward_row<A>(gate: &[f32], up: &[f32], gradient: &[f32], d_gate: &mut [f32], d_up: &mut [f32]) {
        let inputs = gate.iter().zip(up).zip(gradient);
        for (((gate, up), g), (d_gate, d_up)) in inputs.zip(d_gate.iter_mut().zip(d_up)) {
            let sigma = sigmoid::<A>(*gate);
            let slope = sigma * A::mul_add(*gate, 1.0 - sigma, 1.0);
            *d_gate = g * up * slope;
            *d_up = g * gate * sigma;
        }
    }
}
// ANCHOR_END: backward

/// [`forward`] of a gate and an up that lie apart; all slices have the same length.
///
/// # Panics
/// If the lengths do not fit.
pub fn forward_separate(isa: Isa, gate: &[f32], up: &[f32], out: &mut [f32]) {
    assert!(gate.len() == out.len() && up.len() == out.len(), "{} and {} numbers", gate.len(), up.len());
    out.par_chunks_mut(NUMBERS_PER_TASK)
        .zip(gate.par_chunks(NUMBERS_PER_TASK))
        .zip(up.par_chunks(NUMBERS_PER_TASK))
        .for_each(|((out, gate), up)| forward_row(isa, gate, up, out));
}

/// [`backward`] of a gate and an up that lie apart; all slices have the same length.
///
/// # Panics
/// If the lengths do not fit.
pub fn backward_separate(isa: Isa, gate: &[f32], up: &[f32], gradient: &[f32], d_gate: &mut [f32], d_up: &mut [f32]) {
    let n = gradient.len();
    assert!(gate.len() == n && up.len() == n, "{} and {} numbers for {n} gradients", gate.len(), up.len());
    assert!(d_gate.len() == n && d_up.len() == n, "room for {} and {} of {n} numbers", d_gate.len(), d_up.len());
    d_gate
        .par_chunks_mut(NUMBERS_PER_TASK)
        .zip(d_up.par_chunks_mut(NUMBERS_PER_TASK))
        .zip(gate.par_chunks(NUMBERS_PER_TASK).zip(up.par_chunks(NUMBERS_PER_TASK)))
        .zip(gradient.par_chunks(NUMBERS_PER_TASK))
        .for_each(|(((d_gate, d_up), (gate, up)), gradient)| backward_row(isa, gate, up, gradient, d_gate, d_up));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::numbers;

    const SIZES: [(usize, usize); 6] = [(1, 1), (1, 17), (3, 64), (5, 77), (33, 96), (40, 129)];

    fn naive(gate: f64, up: f64) -> f64 {
        gate / (1.0 + (-gate).exp()) * up
    }

    /// A handful of f32 roundings, and an exponential that is exact to 2·10⁻⁷.
    fn assert_close(got: f32, truth: f64, what: &str) {
        assert!((f64::from(got) - truth).abs() <= 1e-6 * truth.abs().max(1.0), "{what}: {got}, not {truth}");
    }

    #[test]
    fn forward_is_the_formula() {
        for (rows, d_ff) in SIZES {
            let gate_up = numbers(rows * 2 * d_ff, 1, 4.0);
            for &isa in Isa::available() {
                let mut out = vec![f32::NAN; rows * d_ff];
                forward(isa, &gate_up, d_ff, &mut out);
                for (i, &y) in out.iter().enumerate() {
                    let at = i / d_ff * 2 * d_ff + i % d_ff;
                    let truth = naive(f64::from(gate_up[at]), f64::from(gate_up[at + d_ff]));
                    assert_close(y, truth, &format!("{isa} ({rows}, {d_ff}) {i}"));
                }
            }
        }
    }

    #[test]
    fn gradient_is_the_difference_quotient() {
        const H: f64 = 1e-5; // Central differences in f64 are then exact to 10⁻⁹.
        for (rows, d_ff) in SIZES {
            let gate_up = numbers(rows * 2 * d_ff, 2, 4.0);
            let gradient = numbers(rows * d_ff, 3, 4.0);
            for &isa in Isa::available() {
                let mut d_gate_up = vec![f32::NAN; rows * 2 * d_ff];
                backward(isa, &gate_up, d_ff, &gradient, &mut d_gate_up);
                for (i, &g) in gradient.iter().enumerate() {
                    let at = i / d_ff * 2 * d_ff + i % d_ff;
                    let (gate, up, g) = (f64::from(gate_up[at]), f64::from(gate_up[at + d_ff]), f64::from(g));
                    let d_gate = g * (naive(gate + H, up) - naive(gate - H, up)) / (2.0 * H);
                    let d_up = g * (naive(gate, up + H) - naive(gate, up - H)) / (2.0 * H);
                    assert_close(d_gate_up[at], d_gate, &format!("{isa} ({rows}, {d_ff}) gate {i}"));
                    assert_close(d_gate_up[at + d_ff], d_up, &format!("{isa} ({rows}, {d_ff}) up {i}"));
                }
            }
        }
    }

    #[test]
    fn apart_is_packed() {
        for (rows, d_ff) in [(1, 1), (3, 31), (130, 257)] {
            let (gate, up, gradient) =
                (numbers(rows * d_ff, 4, 4.0), numbers(rows * d_ff, 5, 4.0), numbers(rows * d_ff, 6, 4.0));
            let pack = |gate: &[f32], up: &[f32]| -> Vec<f32> {
                gate.chunks(d_ff).zip(up.chunks(d_ff)).flat_map(|(gate, up)| [gate, up].concat()).collect()
            };
            let gate_up = pack(&gate, &up);
            for &isa in Isa::available() {
                let nan = vec![f32::NAN; rows * d_ff];
                let (mut packed, mut apart) = (nan.clone(), nan.clone());
                forward(isa, &gate_up, d_ff, &mut packed);
                forward_separate(isa, &gate, &up, &mut apart);
                assert_eq!(packed, apart, "{isa} ({rows}, {d_ff})");
                let (mut d_gate, mut d_up, mut d_gate_up) = (nan.clone(), nan, vec![f32::NAN; rows * 2 * d_ff]);
                backward(isa, &gate_up, d_ff, &gradient, &mut d_gate_up);
                backward_separate(isa, &gate, &up, &gradient, &mut d_gate, &mut d_up);
                assert_eq!(d_gate_up, pack(&d_gate, &d_up), "{isa} ({rows}, {d_ff})");
            }
        }
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let (rows, d_ff) = (67, 45);
        let (gate_up, gradient) = (numbers(rows * 2 * d_ff, 7, 4.0), numbers(rows * d_ff, 8, 4.0));
        let of = |n_threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            let (mut out, mut d_gate_up) = (vec![f32::NAN; rows * d_ff], vec![f32::NAN; rows * 2 * d_ff]);
            pool.install(|| {
                forward(Isa::best(), &gate_up, d_ff, &mut out);
                backward(Isa::best(), &gate_up, d_ff, &gradient, &mut d_gate_up);
            });
            (out, d_gate_up)
        };
        assert_eq!(of(1), of(3));
    }

    #[test]
    fn large_gates_saturate_and_nan_stays() {
        for &isa in Isa::available() {
            let mut out = [7.0; 4];
            forward_separate(isa, &[200.0, -200.0, f32::NAN, 1.0], &[2.0, 2.0, 1.0, f32::NAN], &mut out);
            assert_eq!(out[0], 400.0);
            assert!(out[1].abs() < 1e-30 && out[2].is_nan() && out[3].is_nan());
            let (mut d_gate, mut d_up) = ([7.0; 4], [7.0; 4]);
            backward_separate(
                isa,
                &[200.0, -200.0, f32::NAN, 1.0],
                &[2.0; 4],
                &[1.0, 1.0, 1.0, f32::NAN],
                &mut d_gate,
                &mut d_up,
            );
            assert_eq!((d_gate[0], d_up[0]), (2.0, 200.0));
            assert!(d_gate[1].abs() < 1e-30 && d_up[1].abs() < 1e-30);
            assert!(d_gate[2..].iter().chain(&d_up[2..]).all(|x| x.is_nan()));
        }
    }

    #[test]
    #[should_panic(expected = "rows of 3")]
    fn a_gate_without_up_is_refused() {
        forward(Isa::PORTABLE, &[0.0; 6], 3, &mut [0.0; 6]);
    }
}
