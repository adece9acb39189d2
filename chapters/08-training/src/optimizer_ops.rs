//! The optimiser's seam: the arithmetic of one step over all parameters, apart from what it is for.
//!
//! As with the model's operations, there is a reference in stock tensor operations, and faster ones are held against it.

use std::fmt::Debug;

use candle_core::{DType, Result, Tensor, Var};

// ANCHOR: optimizer_ops
/// The constants of one AdamW step.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// 1 − β₁ᵗ.
    pub first_correction: f64,
    /// 1 − β₂ᵗ.
    pub second_correction: f64,
    /// What gradients are multiplied by: 1/n of a mean, times the clip factor.
    pub scale: f64,
}

/// One parameter and all that changes with it. All shapes are equal.
#[derive(Debug)]
pub struct Update<'a> {
    /// The parameter.
    pub var: &'a Var,
    /// Its gradient.
    pub gradient: &'a Tensor,
    /// The first moment.
    pub first: &'a mut Tensor,
    /// The second moment.
    pub second: &'a mut Tensor,
    /// Weight decay λ.
    pub decay: f64,
}

/// What an optimiser computes.
pub trait OptimizerOps: Debug + Send + Sync {
    /// Σ x² over all tensors together.
    ///
    /// # Errors
    /// Only if the device fails.
    fn sum_of_squares(&self, tensors: &[&Tensor]) -> Result<f64>;

    /// One AdamW step of every parameter.
    ///
    /// # Errors
    /// Only if the device fails.
    fn adamw(&self, step: &Step, updates: &mut [Update<'_>]) -> Result<()>;

    /// Whether a step also writes what the model's operations keep of the weights. If not, they are told that the weights changed.
    fn updates_copies(&self) -> bool {
        false
    }
}
// ANCHOR_END: optimizer_ops

// ANCHOR: reference
/// The arithmetic in stock tensor operations.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReferenceOptimizer;

impl OptimizerOps for ReferenceOptimizer {
    fn sum_of_squares(&self, tensors: &[&Tensor]) -> Result<f64> {
        let squares = tensors.iter().map(|x| x.sqr()?.sum_all()?.to_dtype(DType::F32)).collect::<Result<Vec<_>>>()?;
        // One transfer for all sums: on a GPU each transfer waits for the device.
        let squares = Tensor::stack(&squares, 0)?.to_vec1::<f32>()?;
        Ok(squares.iter().map(|&square| f64::from(square)).sum())
    }

    fn adamw(&self, step: &Step, updates: &mut [Update<'_>]) -> Result<()> {
        let Step { lr, beta1, beta2, eps, first_correction, second_correction, scale } = *step;
        for Update { var, gradient, first, second, decay } in updates {
            let gradient = (*gradient * scale)?;
            **first = ((&**first * beta1)? + (&gradient * (1.0 - beta1))?)?;
            **second = ((&**second * beta2)? + (gradient.sqr()? * (1.0 - beta2))?)?;
            let denominator = ((&**second / second_correction)?.sqrt()? + eps)?;
            let update = (&**first / denominator)? * (lr / first_correction);
            var.set(&((var.as_detached_tensor() * (1.0 - lr * *decay))? - update?)?)?;
        }
        Ok(())
    }
}
// ANCHOR_END: reference
