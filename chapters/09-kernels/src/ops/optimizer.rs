//! The optimiser's arithmetic on kernels.

use candle_core::{Result, Tensor, bail};
use training::OptimizerOps;
use training::optimizer_ops::{Step, Update};

use super::Fused;
use crate::adamw::{self, Parameter};
use crate::gradient_store::write_in_place;
use crate::storage::Reading;

// ANCHOR: optimizer
impl OptimizerOps for Fused {
    fn sum_of_squares(&self, tensors: &[&Tensor]) -> Result<f64> {
        if !self.fallbacks.supports("gradient norm", tensors) {
            return training::ReferenceOptimizer.sum_of_squares(tensors);
        }
        let contiguous = tensors.iter().map(|tensor| tensor.contiguous()).collect::<Result<Vec<_>>>()?;
        let readings: Vec<Reading> = contiguous.iter().map(Reading::of).collect();
        let slices = readings.iter().map(Reading::slice).collect::<Result<Vec<_>>>()?;
        Ok(adamw::sum_of_squares(self.isa, &slices))
    }

    fn adamw(&self, step: &Step, updates: &mut [Update<'_>]) -> Result<()> {
        for update in updates {
            let Update { var, gradient, first, second, decay } = update;
            if !self.fallbacks.supports("AdamW", &[var.as_tensor(), gradient, first, second]) {
                training::ReferenceOptimizer.adamw(step, std::slice::from_mut(update))?;
                continue;
            }
            let gradient = gradient.contiguous()?;
            let gradient = Reading::of(&gradient);
            let gradient = gradient.slice()?;
            let mut lengths_fit = false;
            // candle lends one tensor's numbers at a time: three loans, one within the other.
            write_in_place(var.as_tensor(), |weight| {
                let inner = write_in_place(first, |first| {
                    let innermost = write_in_place(second, |second| {
                        let lengths = [weight.len(), gradient.len(), first.len(), second.len()];
                        lengths_fit = lengths == [lengths[0]; 4];
                        if lengths_fit {
                            let parameter = Parameter { weight, gradient, first, second, decay: *decay };
                            adamw::step(self.isa, step, &mut [parameter]);
                        }
                    });
                    lengths_fit &= innermost.is_ok();
                });
                lengths_fit &= inner.is_ok();
            })?;
            if !lengths_fit {
                bail!("a parameter of {:?} does not fit its gradient and moments", var.dims());
            }
        }
        Ok(())
    }
}
// ANCHOR_END: optimizer
