//! AdamW (Loshchilov and Hutter 2017, arXiv 1711.05101, algorithm 2) in one pass over all parameters, and the norm of all gradients in another.
//!
//! The formula is chapter 08's. There each line of it is a tensor operation that reads and writes the whole parameter; here a number is read once, everything
//! is done to it, and it is written once. What remains is the time that memory takes: per parameter 16 bytes in and 12 out.
//!
//! Products and sums are not fused, so that a step gives chapter 08's numbers to the last bit, at every level of instructions.

use rayon::prelude::*;

use training::optimizer_ops::Step;

use crate::Isa;
use crate::isa::per_isa;
use crate::lanes::dot;

/// Numbers that one task works on, and that one partial sum of squares covers.
const BLOCK: usize = 16_384;

// ANCHOR: sum_of_squares
/// Σ x² over all numbers of all tensors: the square of the global norm.
///
/// Squares are summed in f32 inside a block and in f64, in order, across blocks. A gradient beyond 10¹⁹ makes the sum infinite.
pub fn sum_of_squares(isa: Isa, tensors: &[&[f32]]) -> f64 {
    let blocks = tensors.par_iter().flat_map(|tensor| tensor.par_chunks(BLOCK));
    let sums: Vec<f32> = blocks.map(|block| sum_of_block(isa, block)).collect();
    sums.into_iter().map(f64::from).sum()
}

per_isa! {
    fn sum_of_block<A>(block: &[f32]) -> f32 {
        dot::<A>(block, block)
    }
}
// ANCHOR_END: sum_of_squares

// ANCHOR: parameter
/// A parameter in training; all slices have the same length.
#[derive(Debug)]
pub struct Parameter<'a> {
    /// The weights, which a step changes.
    pub weight: &'a mut [f32],
    /// The gradient of the loss.
    pub gradient: &'a [f32],
    /// The first moment.
    pub first: &'a mut [f32],
    /// The second moment.
    pub second: &'a mut [f32],
    /// Weight decay λ; 0 for the gain of a norm.
    pub decay: f64,
}
// ANCHOR_END: parameter

// ANCHOR: step
/// Moves all parameters and their moments by one step.
///
/// # Panics
/// If the lengths of a parameter differ.
pub fn step(isa: Isa, step: &Step, parameters: &mut [Parameter<'_>]) {
    for (i, Parameter { weight, gradient, first, second, .. }) in parameters.iter().enumerate() {
        let lengths = [weight.len(), gradient.len(), first.len(), second.len()];
        assert!(lengths == [lengths[0]; 4], "weight, gradient and moments of parameter {i}: {lengths:?} numbers");
    }
    parameters.par_iter_mut().for_each(|parameter| {
        let factors = Factors::new(step, parameter.decay);
        let weights = parameter.weight.par_chunks_mut(BLOCK).zip(parameter.gradient.par_chunks(BLOCK));
        let moments = parameter.first.par_chunks_mut(BLOCK).zip(parameter.second.par_chunks_mut(BLOCK));
        weights.zip(moments).for_each(|((weight, gradient), (first, second))| {
            step_block(isa, factors, weight, gradient, first, second);
        });
    });
}

/// What a step multiplies by, computed in f64 and rounded once.
#[derive(Debug, Clone, Copy)]
struct Factors {
    scale: f32,
    beta1: f32,
    one_minus_beta1: f32,
    beta2: f32,
    one_minus_beta2: f32,
    second_correction: f32,
    eps: f32,
    rate: f32,
    shrink: f32,
}

impl Factors {
    fn new(step: &Step, decay: f64) -> Self {
        Self {
            scale: step.scale as f32,
            beta1: step.beta1 as f32,
            one_minus_beta1: (1.0 - step.beta1) as f32,
            beta2: step.beta2 as f32,
            one_minus_beta2: (1.0 - step.beta2) as f32,
            second_correction: (1.0 / step.second_correction) as f32,
            eps: step.eps as f32,
            rate: (step.lr / step.first_correction) as f32,
            shrink: (1.0 - step.lr * decay) as f32,
        }
    }
}

per_isa! {
    fn step_block<A>(factors: Factors, weight: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32]) {
        let moments = first.iter_mut().zip(second);
        for ((weight, gradient), (first, second)) in weight.iter_mut().zip(gradient).zip(moments) {
            let g = gradient * factors.scale;
            *first = *first * factors.beta1 + g * factors.one_minus_beta1;
            *second = *second * factors.beta2 + g * g * factors.one_minus_beta2;
            let denominator = (*second * factors.second_correction).sqrt() + factors.eps;
            *weight = *weight * factors.shrink - *first / denominator * factors.rate;
        }
    }
}
// ANCHOR_END: step

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::numbers;

    const DECAY: f64 = 0.1;
    const STEP: Step = Step {
        lr: 3e-3,
        beta1: 0.9,
        beta2: 0.95,
        eps: 1e-8,
        first_correction: 1.0 - 0.9,
        second_correction: 1.0 - 0.95,
        scale: 0.25,
    };

    /// The constants of step `t`, the first being 1.
    fn constants(t: i32) -> Step {
        let correction = |beta: f64| 1.0 - beta.powi(t);
        Step { first_correction: correction(STEP.beta1), second_correction: correction(STEP.beta2), ..STEP }
    }

    /// On both sides of a block and of a register.
    const SIZES: [(usize, f64); 6] =
        [(1, 0.0), (0, DECAY), (37, DECAY), (BLOCK - 1, 0.0), (2 * BLOCK + 5, DECAY), (BLOCK, 0.0)];

    fn gradient(i: usize, n_steps: usize) -> Vec<f32> {
        numbers(SIZES[i].0, (10 * n_steps + i) as u32, 1.0)
    }

    /// Weight, first and second moment of each parameter after three steps.
    fn three_steps(isa: Isa, n_threads: usize) -> Vec<[Vec<f32>; 3]> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        let mut states: Vec<_> = SIZES.iter().map(|&(n, _)| [numbers(n, 1, 1.0), vec![0.0; n], vec![0.0; n]]).collect();
        for n_steps in 1..=3 {
            let gradients: Vec<_> = (0..SIZES.len()).map(|i| gradient(i, n_steps)).collect();
            let mut parameters: Vec<_> = states
                .iter_mut()
                .zip(&gradients)
                .zip(SIZES)
                .map(|(([weight, first, second], gradient), (_, decay))| Parameter {
                    weight,
                    gradient,
                    first,
                    second,
                    decay,
                })
                .collect();
            pool.install(|| step(isa, &constants(n_steps as i32), &mut parameters));
        }
        states
    }

    #[test]
    fn a_step_is_the_formula() {
        let got = three_steps(Isa::best(), 1);
        for (i, (n, decay)) in SIZES.into_iter().enumerate() {
            let gradients = [1, 2, 3].map(|n_steps| gradient(i, n_steps));
            let weight = numbers(n, 1, 1.0);
            for j in 0..n {
                let (mut w, mut m, mut v) = (f64::from(weight[j]), 0.0, 0.0);
                for (t, gradient) in (1..).zip(&gradients) {
                    let g = f64::from(gradient[j]) * STEP.scale;
                    m = STEP.beta1 * m + (1.0 - STEP.beta1) * g;
                    v = STEP.beta2 * v + (1.0 - STEP.beta2) * g * g;
                    let (m_hat, v_hat) = (m / (1.0 - STEP.beta1.powi(t)), v / (1.0 - STEP.beta2.powi(t)));
                    w *= 1.0 - STEP.lr * decay;
                    w -= STEP.lr * m_hat / (v_hat.sqrt() + STEP.eps);
                }
                // Three steps of a few roundings each, of numbers no larger than 1, 0.25 and 0.0625.
                for (got, truth) in got[i].iter().zip([w, m, v]) {
                    assert!((f64::from(got[j]) - truth).abs() < 4e-7, "{n} numbers, {j}: {}, not {truth}", got[j]);
                }
            }
        }
    }

    #[test]
    fn neither_level_nor_threads_change_a_bit() {
        let expected = three_steps(Isa::PORTABLE, 1);
        for &isa in Isa::available() {
            assert_eq!(three_steps(isa, 3), expected, "{isa}");
        }
    }

    #[test]
    fn without_a_gradient_only_a_matrix_shrinks() {
        for (decay, expected) in [(DECAY, 2.0 * (1.0 - 3e-4)), (0.0, 2.0)] {
            let (mut weight, mut first, mut second) = ([2.0], [0.0], [0.0]);
            let parameter =
                Parameter { weight: &mut weight, gradient: &[0.0], first: &mut first, second: &mut second, decay };
            step(Isa::best(), &STEP, &mut [parameter]);
            assert_eq!((weight, first, second), ([expected as f32], [0.0], [0.0]));
        }
    }

    #[test]
    fn nan_stays() {
        let (mut weight, mut first, mut second) = ([1.0; 3], [0.0; 3], [0.0; 3]);
        let gradient = &[1.0, f32::NAN, 1.0];
        assert!(sum_of_squares(Isa::best(), &[gradient]).is_nan());
        let (weight_, first_, second_) = (&mut weight, &mut first, &mut second);
        let parameter = Parameter { weight: weight_, gradient, first: first_, second: second_, decay: DECAY };
        step(Isa::best(), &STEP, &mut [parameter]);
        assert!(weight[1].is_nan() && first[1].is_nan() && second[1].is_nan());
        assert!(weight[0].is_finite() && weight[2].is_finite());
    }

    #[test]
    fn sum_of_squares_of_many_tensors() {
        let tensors: Vec<Vec<f32>> = (0..SIZES.len()).map(|i| gradient(i, 1)).collect();
        let slices: Vec<&[f32]> = tensors.iter().map(Vec::as_slice).collect();
        let truth: f64 = tensors.iter().flatten().map(|&x| f64::from(x) * f64::from(x)).sum();
        for &isa in Isa::available() {
            let of = |n_threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
                pool.install(|| sum_of_squares(isa, &slices))
            };
            // A lane adds a thousand squares of a block: at worst 10³ roundings of 6·10⁻⁸, typically the root of that.
            assert!((of(1) / truth - 1.0).abs() < 2e-6, "{isa}: {}, not {truth}", of(1));
            assert_eq!(of(1).to_bits(), of(3).to_bits(), "{isa}");
        }
        assert_eq!(sum_of_squares(Isa::best(), &[]), 0.0);
    }

    #[test]
    #[should_panic(expected = "parameter 0: [2, 2, 1, 2]")]
    fn moments_of_another_parameter_are_refused() {
        let (weight, first, second) = (&mut [0.0; 2], &mut [0.0; 1], &mut [0.0; 2]);
        step(Isa::PORTABLE, &STEP, &mut [Parameter { weight, gradient: &[0.0; 2], first, second, decay: 0.0 }]);
    }
}
