//! The other half of a block as one operation: x + W_down · (silu(W_gate z) ⊙ W_up z), z = norm(x).

use std::sync::{Mutex, PoisonError};

use candle_core::{Result, Shape, Tensor, bail};
use transformer::LlamaFeedForward;

use super::super::device_op::DeviceOp;
use super::super::gpu::Matrix;
use super::super::memory::{Buffer, Element, View};
use super::super::{cast, rms_norm, swiglu, tensors};
use super::Cuda;
use crate::Activations;

pub(super) struct FeedForwardBranchOp {
    cuda: Cuda,
    branch: LlamaFeedForward,
    eps: f32,
    d_model: usize,
    d_ff: usize,
    saved: Mutex<Option<Saved>>,
}

/// What backward needs of forward.
struct Saved {
    inverse_rms: Buffer, // (rows)
    gate_up: Buffer,     // (rows, 2 · d_ff)
}

impl FeedForwardBranchOp {
    pub(super) fn new(cuda: &Cuda, branch: &LlamaFeedForward, eps: f64, x: &Tensor) -> Result<Self> {
        let LlamaFeedForward { norm, gate, up, down } = branch;
        let (d_ff, d_model) = gate.tensor.dims2()?;
        let fits = up.tensor.dims() == [d_ff, d_model]
            && down.tensor.dims() == [d_model, d_ff]
            && norm.tensor.dims() == [d_model]
            && x.dims().last() == Some(&d_model);
        if !fits {
            bail!("the weights around {} do not fit a stream of shape {:?}", gate.name, x.dims());
        }
        let (cuda, branch) = (cuda.clone(), branch.clone());
        Ok(Self { cuda, branch, eps: eps as f32, d_model, d_ff, saved: Mutex::new(None) })
    }

    // ANCHOR: forward
    /// Everything up to gate and up, from `x` `(rows, d_model)`.
    fn expand(&self, x: View<'_>) -> Result<Saved> {
        let (gpu, d_model, d_ff) = (&self.cuda.gpu, self.d_model, self.d_ff);
        let LlamaFeedForward { norm, gate, up, .. } = &self.branch;
        let n_rows = x.len() / d_model;
        let inverse_rms = gpu.buffer(Element::F32, n_rows)?;
        let normed = gpu.activations(x.len())?;
        rms_norm::forward(gpu, x, tensors::view(&norm.tensor)?, self.eps, normed.view(), inverse_rms.view())?;
        let gate_up = gpu.activations(n_rows * 2 * d_ff)?;
        let weights = self.cuda.copies.stacked(gpu, &[gate, up])?; // (2 · d_ff, d_model)
        let normed = Matrix::new(normed.view(), d_model);
        let weights = Matrix::new(weights.view(), d_model).transposed();
        gpu.multiply(normed, weights, None, Matrix::new(gate_up.view(), 2 * d_ff))?;
        Ok(Saved { inverse_rms, gate_up })
    }
    // ANCHOR_END: forward

    // ANCHOR: backward
    /// Turns `gate_up` into its gradient, from that of the result, in the products' type.
    fn to_packed_gradient(&self, gate_up: View<'_>, gradient: View<'_>) -> Result<()> {
        let (gpu, d_model, d_ff) = (&self.cuda.gpu, self.d_model, self.d_ff);
        let of_result = Matrix::new(gradient, d_model);
        let inner = gpu.activations(gate_up.len() / 2)?;
        swiglu::forward(gpu, gate_up, d_ff, inner.view())?;
        self.cuda.sum_weight_gradient(&[&self.branch.down], of_result, Matrix::new(inner.view(), d_ff), d_ff)?;

        let down = self.cuda.copies.stacked(gpu, &[&self.branch.down])?; // (d_model, d_ff)
        let d_inner = inner; // Used up: its room serves for its gradient.
        gpu.multiply(of_result, Matrix::new(down.view(), d_ff), None, Matrix::new(d_inner.view(), d_ff))?;
        swiglu::backward_in_place(gpu, gate_up, d_ff, d_inner.view())
    }

    /// From the gradient of gate and up to that of `x`, which the residual stream passes on as `dy` and more.
    fn through_projections(
        &self,
        x: View<'_>,
        inverse_rms: View<'_>,
        d_gate_up: View<'_>,
        dy: View<'_>,
        dx: View<'_>,
    ) -> Result<()> {
        let (gpu, d_model) = (&self.cuda.gpu, self.d_model);
        let LlamaFeedForward { norm, gate, up, .. } = &self.branch;
        let weight = tensors::view(&norm.tensor)?;
        let normed = gpu.activations(x.len())?;
        rms_norm::apply(gpu, x, weight, inverse_rms, normed.view())?;
        let d_gate_up = Matrix::new(d_gate_up, 2 * self.d_ff);
        self.cuda.sum_weight_gradient(&[gate, up], d_gate_up, Matrix::new(normed.view(), d_model), d_model)?;

        let weights = self.cuda.copies.stacked(gpu, &[gate, up])?;
        let d_normed = normed; // Used up: its room serves for its gradient.
        gpu.multiply(d_gate_up, Matrix::new(weights.view(), d_model), None, Matrix::new(d_normed.view(), d_model))?;
        let inputs = rms_norm::Inputs { x, weight, inverse_rms, dy: d_normed.view() };
        self.cuda.add_weight_gradient(norm, |dweight| rms_norm::backward(gpu, &inputs, Some(dy), dx, dweight))
    }
    // ANCHOR_END: backward
}

impl DeviceOp for FeedForwardBranchOp {
    const NAME: &'static str = "feed-forward-branch";

    fn output_shape(&self, input: &Shape) -> Result<Shape> {
        Ok(input.clone())
    }

    fn forward(&self, x: View<'_>, y: View<'_>) -> Result<()> {
        let saved = self.expand(x)?;
        let (gpu, d_model, d_ff) = (&self.cuda.gpu, self.d_model, self.d_ff);
        let inner = gpu.activations(x.len() / d_model * d_ff)?;
        swiglu::forward(gpu, saved.gate_up.view(), d_ff, inner.view())?;
        let down = self.cuda.copies.stacked(gpu, &[&self.branch.down])?;
        let (inner, down) = (Matrix::new(inner.view(), d_ff), Matrix::new(down.view(), d_ff).transposed());
        gpu.multiply(inner, down, Some(Matrix::new(x, d_model)), Matrix::new(y, d_model))?;
        if self.cuda.activations == Activations::Keep {
            *self.saved.lock().unwrap_or_else(PoisonError::into_inner) = Some(saved);
        }
        Ok(())
    }

    fn backward(&self, x: View<'_>, dy: View<'_>, dx: View<'_>) -> Result<()> {
        let saved = match self.saved.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(saved) => saved,
            None => self.expand(x)?,
        };
        let gradient = cast::to_activations(&self.cuda.gpu, dy)?;
        self.to_packed_gradient(saved.gate_up.view(), gradient.view())?;
        self.through_projections(x, saved.inverse_rms.view(), saved.gate_up.view(), dy, dx)
    }
}
