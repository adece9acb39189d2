//! The other half of a block as one op: x + W_down · (silu(W_gate z) ⊙ W_up z), z = norm(x).
//!
//! Forward keeps gate and up, packed, and 1/rms of each row. The product of the two is elementwise and computed again.

use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use transformer::{LlamaFeedForward, Weight};

use super::{Activations, Fused};
use crate::matmul::Write;
use crate::matrix::{Matrix, MatrixMut};
use crate::scratch::Buffer;
use crate::storage::{Reading, slice, tensor};
use crate::{rms_norm, swiglu};

pub(super) struct FeedForwardBranchOp {
    fused: Fused,
    branch: LlamaFeedForward,
    eps: f32,
    saved: Mutex<Option<Saved>>,
}

/// What backward needs of forward.
struct Saved {
    inverse_rms: Buffer, // (rows)
    gate_up: Buffer,     // (rows, 2 · d_ff)
}

impl FeedForwardBranchOp {
    pub(super) fn new(fused: &Fused, branch: &LlamaFeedForward, eps: f64) -> Self {
        Self { fused: fused.clone(), branch: branch.clone(), eps: eps as f32, saved: Mutex::new(None) }
    }

    /// (d_model, d_ff), checked.
    fn sizes(&self, x: &[usize]) -> Result<(usize, usize)> {
        let LlamaFeedForward { norm, gate, up, down } = &self.branch;
        let (d_ff, d_model) = gate.tensor.dims2()?;
        let fits = up.tensor.dims() == [d_ff, d_model]
            && down.tensor.dims() == [d_model, d_ff]
            && norm.tensor.dims() == [d_model]
            && x.last() == Some(&d_model);
        if !fits {
            bail!("the weights around {} do not fit a stream of shape {x:?}", gate.name);
        }
        Ok((d_model, d_ff))
    }

    // ANCHOR: forward
    /// Everything up to gate and up, from `x` `(rows, d_model)`.
    fn expand(&self, x: &[f32], d_model: usize, d_ff: usize) -> Result<Saved> {
        let Fused { isa, ref scratch, .. } = self.fused;
        let n_rows = x.len() / d_model;
        let (mut normed, mut inverse_rms) = (scratch.take(x.len()), scratch.take(n_rows));
        let norm = Reading::of(&self.branch.norm.tensor);
        rms_norm::forward(isa, x, norm.slice()?, self.eps, &mut normed, &mut inverse_rms);
        let mut gate_up = scratch.take(n_rows * 2 * d_ff);
        for (number, weight) in self.expansions().into_iter().enumerate() {
            let mut packed = MatrixMut::new(&mut gate_up, 2 * d_ff);
            let weight = Reading::of(&weight.tensor);
            let band = packed.columns_mut(number * d_ff..(number + 1) * d_ff);
            self.fused.project(Matrix::new(&normed, d_model), weight.slice()?, Write::Replace, band);
        }
        Ok(Saved { inverse_rms, gate_up })
    }
    // ANCHOR_END: forward

    fn expansions(&self) -> [&Weight; 2] {
        [&self.branch.gate, &self.branch.up]
    }

    // ANCHOR: backward
    /// The gradient of `x` from the gradient of the result, both `(rows, d_model)`; gradients of the weights are summed on the way.
    fn gradient(&self, x: &[f32], saved: &Saved, gradient: &[f32], d_model: usize, d_ff: usize) -> Result<Vec<f32>> {
        let Fused { isa, ref scratch, .. } = self.fused;
        let Saved { inverse_rms, gate_up } = saved;
        let n_rows = x.len() / d_model;
        let of_result = Matrix::new(gradient, d_model);

        let mut inner = scratch.take(n_rows * d_ff);
        swiglu::forward(isa, gate_up, d_ff, &mut inner);
        self.fused.sum_weight_gradient(&self.branch.down, of_result, Matrix::new(&inner, d_ff))?;
        let mut d_inner = inner; // Used up: its room serves for its gradient.
        let down = Reading::of(&self.branch.down.tensor);
        self.fused.project_back(of_result, down.slice()?, Write::Replace, MatrixMut::new(&mut d_inner, d_ff));
        let mut d_gate_up = scratch.take(gate_up.len());
        swiglu::backward(isa, gate_up, d_ff, &d_inner, &mut d_gate_up);

        let norm = Reading::of(&self.branch.norm.tensor);
        let (mut normed, mut d_normed) = (scratch.take(x.len()), scratch.take(x.len()));
        rms_norm::apply(isa, x, norm.slice()?, inverse_rms, &mut normed);
        let packed = Matrix::new(&d_gate_up, 2 * d_ff);
        for (number, weight) in self.expansions().into_iter().enumerate() {
            let of_band = packed.columns(number * d_ff..(number + 1) * d_ff);
            self.fused.sum_weight_gradient(weight, of_band, Matrix::new(&normed, d_model))?;
            let weight = Reading::of(&weight.tensor);
            let write = if number == 0 { Write::Replace } else { Write::Add };
            self.fused.project_back(of_band, weight.slice()?, write, MatrixMut::new(&mut d_normed, d_model));
        }
        // The residual stream passes the gradient on as it is.
        let mut dx = gradient.to_vec();
        let mut d_norm = vec![0.0; d_model];
        rms_norm::backward(isa, (x, norm.slice()?, inverse_rms), &d_normed, Write::Add, &mut dx, &mut d_norm);
        self.fused.add_weight_gradient(&self.branch.norm, &d_norm)?;
        Ok(dx)
    }
    // ANCHOR_END: backward
}

impl CustomOp1 for FeedForwardBranchOp {
    fn name(&self) -> &'static str {
        "feed-forward-branch"
    }

    fn cpu_fwd(&self, x_storage: &CpuStorage, x_layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = slice(x_storage, x_layout)?;
        let (d_model, d_ff) = self.sizes(x_layout.dims())?;
        let saved = self.expand(x, d_model, d_ff)?;
        let mut inner = self.fused.scratch.take(x.len() / d_model * d_ff);
        swiglu::forward(self.fused.isa, &saved.gate_up, d_ff, &mut inner);
        let mut y = x.to_vec();
        let down = Reading::of(&self.branch.down.tensor);
        self.fused.project(Matrix::new(&inner, d_ff), down.slice()?, Write::Add, MatrixMut::new(&mut y, d_model));
        if self.fused.activations == Activations::Keep {
            *self.saved.lock().unwrap_or_else(PoisonError::into_inner) = Some(saved);
        }
        Ok((CpuStorage::F32(y), x_layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let (d_model, d_ff) = self.sizes(x.dims())?;
        let gradient = gradient.contiguous()?;
        let (x_read, gradient_read) = (Reading::of(x), Reading::of(&gradient));
        let saved = match self.saved.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(saved) => saved,
            None => self.expand(x_read.slice()?, d_model, d_ff)?,
        };
        let dx = self.gradient(x_read.slice()?, &saved, gradient_read.slice()?, d_model, d_ff)?;
        Ok(Some(tensor(dx, x.shape())?))
    }
}
