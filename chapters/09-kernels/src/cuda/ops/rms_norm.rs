//! RMSNorm by itself, as the model's last one: f32 in and out.

use candle_core::{Result, Shape, bail};
use transformer::Weight;

use super::super::device_op::DeviceOp;
use super::super::memory::{Buffer, Element, View};
use super::super::{rms_norm, tensors};
use super::Cuda;
use std::sync::{Mutex, PoisonError};

pub(super) struct RmsNorm {
    cuda: Cuda,
    weight: Weight,
    eps: f32,
    inverse_rms: Mutex<Option<Buffer>>,
}

impl RmsNorm {
    pub(super) fn new(cuda: &Cuda, weight: &Weight, eps: f64) -> Self {
        Self { cuda: cuda.clone(), weight: weight.clone(), eps: eps as f32, inverse_rms: Mutex::new(None) }
    }
}

impl DeviceOp for RmsNorm {
    const NAME: &'static str = "rms-norm";

    fn output_shape(&self, input: &Shape) -> Result<Shape> {
        let d = self.weight.tensor.elem_count();
        if input.dims().last() != Some(&d) {
            bail!("{} has {d} gains and cannot be applied to {input:?}", self.weight.name);
        }
        Ok(input.clone())
    }

    fn forward(&self, x: View<'_>, y: View<'_>) -> Result<()> {
        let weight = tensors::view(&self.weight.tensor)?;
        let inverse_rms = self.cuda.gpu.buffer(Element::F32, x.len() / weight.len())?;
        rms_norm::forward(&self.cuda.gpu, x, weight, self.eps, y, inverse_rms.view())?;
        *self.inverse_rms.lock().unwrap_or_else(PoisonError::into_inner) = Some(inverse_rms);
        Ok(())
    }

    fn backward(&self, x: View<'_>, dy: View<'_>, dx: View<'_>) -> Result<()> {
        let inverse_rms = self.inverse_rms.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(inverse_rms) = inverse_rms.as_ref() else { bail!("a norm has run backward before forward") };
        let weight = tensors::view(&self.weight.tensor)?;
        let inputs = rms_norm::Inputs { x, weight, inverse_rms: inverse_rms.view(), dy };
        self.cuda
            .add_weight_gradient(&self.weight, |dweight| rms_norm::backward(&self.cuda.gpu, &inputs, None, dx, dweight))
    }
}
