//! The optimiser's arithmetic on the device: one launch for all parameters, the copies in the products' type among what it writes.

use candle_core::{Result, Tensor};
use training::OptimizerOps;
use training::optimizer_ops::{Step, Update};

use super::super::adamw::{self, Parameter, Table};
use super::super::tensors;
use super::Cuda;

// ANCHOR: optimizer
impl OptimizerOps for Cuda {
    fn sum_of_squares(&self, tensors: &[&Tensor]) -> Result<f64> {
        let contiguous = tensors.iter().map(|tensor| tensor.contiguous()).collect::<Result<Vec<_>>>()?;
        let of_gradient = |gradient| {
            let view = tensors::view(gradient)?;
            // The kernel reads the gradient alone.
            Ok(Parameter { weight: view, gradient: view, first: view, second: view, copy: None, decay: 0.0 })
        };
        let parameters = contiguous.iter().map(of_gradient).collect::<Result<Vec<_>>>()?;
        adamw::sum_of_squares(&self.gpu, &Table::new(&self.gpu, &parameters)?)
    }

    fn adamw(&self, step: &Step, updates: &mut [Update<'_>]) -> Result<()> {
        let gradients = updates.iter().map(|update| update.gradient.contiguous()).collect::<Result<Vec<_>>>()?;
        let ids: Vec<_> = updates.iter().map(|update| update.var.as_tensor().id()).collect();
        self.copies.with_all(&ids, |copies| {
            let mut parameters = Vec::with_capacity(updates.len());
            for ((update, gradient), copy) in updates.iter().zip(&gradients).zip(copies) {
                parameters.push(Parameter {
                    weight: tensors::place(update.var.as_tensor())?,
                    gradient: tensors::view(gradient)?,
                    first: tensors::place(update.first)?,
                    second: tensors::place(update.second)?,
                    copy: *copy,
                    decay: update.decay as f32,
                });
            }
            adamw::step(&self.gpu, step, &Table::new(&self.gpu, &parameters)?)
        })
    }

    fn updates_copies(&self) -> bool {
        true
    }
}
// ANCHOR_END: optimizer
