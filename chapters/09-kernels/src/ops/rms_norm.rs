//! RMSNorm as a custom op of `x` `(…, d)` and its weight `(d)`.

use std::sync::OnceLock;

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use transformer::Weight;

use super::Fused;
use crate::matmul::Write;
use crate::rms_norm;
use crate::storage::{Reading, slice, tensor};

pub(super) struct RmsNorm {
    fused: Fused,
    weight: Weight,
    eps: f32,
    inverse_rms: OnceLock<Vec<f32>>,
}

impl RmsNorm {
    pub(super) fn new(fused: &Fused, weight: &Weight, eps: f64) -> Self {
        Self { fused: fused.clone(), weight: weight.clone(), eps: eps as f32, inverse_rms: OnceLock::new() }
    }
}

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn cpu_fwd(
        &self,
        x_storage: &CpuStorage,
        x_layout: &Layout,
        weight_storage: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, weight) = (slice(x_storage, x_layout)?, slice(weight_storage, weight_layout)?);
        let d = weight.len();
        if x_layout.dims().last() != Some(&d) {
            bail!("{} has {d} gains and cannot be applied to {:?}", self.weight.name, x_layout.dims());
        }
        let (mut y, mut inverse_rms) = (vec![0.0; x.len()], vec![0.0; x.len() / d]);
        rms_norm::forward(self.fused.isa, x, weight, self.eps, &mut y, &mut inverse_rms);
        let _ = self.inverse_rms.set(inverse_rms);
        Ok((CpuStorage::F32(y), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _y: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        let (x_read, weight_read, gradient_read) = (Reading::of(x), Reading::of(weight), Reading::of(&gradient));
        let inverse_rms = self.inverse_rms.get().map_or(&[][..], Vec::as_slice);
        let inputs = (x_read.slice()?, weight_read.slice()?, inverse_rms);
        let (mut dx, mut dweight) = (vec![0.0; x.elem_count()], vec![0.0; weight.elem_count()]);
        rms_norm::backward(self.fused.isa, inputs, gradient_read.slice()?, Write::Replace, &mut dx, &mut dweight);
        let dx = tensor(dx, x.shape())?;
        if weight.is_variable() {
            self.fused.add_weight_gradient(&self.weight, &dweight)?;
            return Ok((Some(dx), None));
        }
        Ok((Some(dx), Some(tensor(dweight, weight.shape())?)))
    }
}

impl Fused {
    /// Sums a gradient that is already computed, if the weight is trained.
    ///
    /// # Errors
    /// If the weight is not f32 on the CPU.
    pub(crate) fn add_weight_gradient(&self, weight: &Weight, gradient: &[f32]) -> Result<()> {
        self.gradients.accumulate(weight, |sum, write| match write {
            Write::Replace => sum.copy_from_slice(gradient),
            Write::Add => sum.iter_mut().zip(gradient).for_each(|(sum, x)| *sum += x),
        })
    }
}
