//! SwiGLU's product as a custom op of `gate` and `up`.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::Fused;
use crate::storage::{Reading, slice, tensor};
use crate::swiglu;

pub(super) struct SwiGlu {
    fused: Fused,
}

impl SwiGlu {
    pub(super) fn new(fused: &Fused) -> Self {
        Self { fused: fused.clone() }
    }
}

impl CustomOp2 for SwiGlu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn cpu_fwd(
        &self,
        gate_storage: &CpuStorage,
        gate_layout: &Layout,
        up_storage: &CpuStorage,
        up_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        if gate_layout.dims() != up_layout.dims() {
            bail!("gate {:?} and up {:?} must have one shape", gate_layout.dims(), up_layout.dims());
        }
        let (gate, up) = (slice(gate_storage, gate_layout)?, slice(up_storage, up_layout)?);
        let mut y = vec![0.0; gate.len()];
        swiglu::forward_separate(self.fused.isa, gate, up, &mut y);
        Ok((CpuStorage::F32(y), gate_layout.shape().clone()))
    }

    fn bwd(
        &self,
        gate: &Tensor,
        up: &Tensor,
        _y: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        let (gate_read, up_read, gradient_read) = (Reading::of(gate), Reading::of(up), Reading::of(&gradient));
        let (mut dgate, mut dup) = (vec![0.0; gate.elem_count()], vec![0.0; up.elem_count()]);
        let inputs = (gate_read.slice()?, up_read.slice()?);
        swiglu::backward_separate(self.fused.isa, inputs.0, inputs.1, gradient_read.slice()?, &mut dgate, &mut dup);
        Ok((Some(tensor(dgate, gate.shape())?), Some(tensor(dup, up.shape())?)))
    }
}
