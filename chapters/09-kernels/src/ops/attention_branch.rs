//! Half a block as one op: x + W_o · attention(norm(x)).
//!
//! Forward keeps the packed queries, keys and values, the attention's output and two numbers a row. The normed input is an elementwise
//! function of `x`, which candle keeps anyway, and is computed again. With [`Activations::Recompute`] all of it is.

use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use transformer::{AttentionLayout, LlamaAttention};

use super::attention::Setup;
use super::{Activations, Fused};
use crate::matmul::Write;
use crate::matrix::{Matrix, MatrixMut};
use crate::scratch::Buffer;
use crate::storage::{Reading, slice, tensor};
use crate::{attention, rms_norm};

pub(super) struct AttentionBranchOp {
    fused: Fused,
    branch: LlamaAttention,
    eps: f32,
    setup: Setup,
    saved: Mutex<Option<Saved>>,
}

/// What backward needs of forward.
struct Saved {
    inverse_rms: Buffer, // (rows)
    qkv: Buffer,         // (rows, packed width)
    attended: Buffer,    // (rows, d_model)
    log_sum_exp: Buffer, // (batch, n_heads, seq_len)
}

impl AttentionBranchOp {
    pub(super) fn new(
        fused: &Fused,
        branch: &LlamaAttention,
        eps: f64,
        x: &Tensor,
        layout: AttentionLayout,
    ) -> Result<Self> {
        let setup = checked_setup(branch, x, layout, 0)?;
        Ok(Self { fused: fused.clone(), branch: branch.clone(), eps: eps as f32, setup, saved: Mutex::new(None) })
    }

    // ANCHOR: forward
    /// Everything up to the attention's output, from `x` `(rows, d_model)`.
    fn attend(&self, x: &[f32]) -> Result<Saved> {
        let Fused { isa, ref scratch, .. } = self.fused;
        let (shape, d_model) = (self.setup.shape, self.branch.norm.tensor.elem_count());
        let n_rows = shape.n_rows();
        let (mut normed, mut inverse_rms) = (scratch.take(x.len()), scratch.take(n_rows));
        let norm = Reading::of(&self.branch.norm.tensor);
        rms_norm::forward(isa, x, norm.slice()?, self.eps, &mut normed, &mut inverse_rms);

        let mut qkv = scratch.take(n_rows * self.setup.packed_width());
        for (weight, band) in self.projections() {
            let mut packed = MatrixMut::new(&mut qkv, self.setup.packed_width());
            let weight = Reading::of(&weight.tensor);
            self.fused.project(
                Matrix::new(&normed, d_model),
                weight.slice()?,
                Write::Replace,
                packed.columns_mut(band),
            );
        }
        let mut attended = scratch.take(n_rows * shape.n_heads * shape.head_dim);
        let mut log_sum_exp = scratch.take(n_rows * shape.n_heads);
        self.setup.with_settings(&self.fused, |settings| {
            attention::forward(settings, &qkv, &mut attended, &mut log_sum_exp);
        })?;
        Ok(Saved { inverse_rms, qkv, attended, log_sum_exp })
    }
    // ANCHOR_END: forward

    /// The projections and where their results stand in a packed row.
    fn projections(&self) -> [(&transformer::Weight, std::ops::Range<usize>); 3] {
        let [q, k, v] = self.setup.bands();
        [(&self.branch.q, q), (&self.branch.k, k), (&self.branch.v, v)]
    }

    // ANCHOR: backward
    /// The gradient of `x` from the gradient of the result, both `(rows, d_model)`; gradients of the weights are summed on the way.
    fn gradient(&self, x: &[f32], saved: &Saved, gradient: &[f32]) -> Result<Vec<f32>> {
        let Fused { isa, ref scratch, .. } = self.fused;
        let Saved { inverse_rms, qkv, attended, log_sum_exp } = saved;
        let (shape, d_model) = (self.setup.shape, self.branch.norm.tensor.elem_count());
        let width = shape.n_heads * shape.head_dim;
        let of_result = Matrix::new(gradient, d_model);

        self.fused.sum_weight_gradient(&self.branch.o, of_result, Matrix::new(attended, width))?;
        let mut d_attended = scratch.take(attended.len());
        let o = Reading::of(&self.branch.o.tensor);
        self.fused.project_back(of_result, o.slice()?, Write::Replace, MatrixMut::new(&mut d_attended, width));
        let mut d_qkv = scratch.take(qkv.len());
        self.setup.with_settings(&self.fused, |settings| {
            let saved = attention::Saved { qkv, out: attended, log_sum_exp };
            attention::backward(settings, saved, &d_attended, &mut d_qkv);
        })?;

        let norm = Reading::of(&self.branch.norm.tensor);
        let (mut normed, mut d_normed) = (scratch.take(x.len()), scratch.take(x.len()));
        rms_norm::apply(isa, x, norm.slice()?, inverse_rms, &mut normed);
        let packed = Matrix::new(&d_qkv, self.setup.packed_width());
        let mut write = Write::Replace;
        for (weight, band) in self.projections() {
            let of_band = packed.columns(band);
            self.fused.sum_weight_gradient(weight, of_band, Matrix::new(&normed, d_model))?;
            let weight = Reading::of(&weight.tensor);
            self.fused.project_back(of_band, weight.slice()?, write, MatrixMut::new(&mut d_normed, d_model));
            write = Write::Add;
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

/// Sizes and rotary tables of a branch whose first input stands at position `start`.
///
/// # Errors
/// If the weights do not fit `x` `(batch, seq_len, d_model)` or each other.
pub(super) fn checked_setup(
    branch: &LlamaAttention,
    x: &Tensor,
    layout: AttentionLayout,
    start: usize,
) -> Result<Setup> {
    let (batch, seq_len, d_model) = x.dims3()?;
    let (width, q_in) = branch.q.tensor.dims2()?;
    let setup = Setup::new((batch, seq_len, width), layout, start)?;
    let kv_width = setup.shape.n_kv_heads * setup.shape.head_dim;
    let fits = q_in == d_model
        && branch.k.tensor.dims() == [kv_width, d_model]
        && branch.v.tensor.dims() == [kv_width, d_model]
        && branch.o.tensor.dims() == [d_model, width]
        && branch.norm.tensor.dims() == [d_model];
    if !fits {
        bail!("the weights around {} do not fit a stream of width {d_model}", branch.q.name);
    }
    Ok(setup)
}

impl CustomOp1 for AttentionBranchOp {
    fn name(&self) -> &'static str {
        "attention-branch"
    }

    fn cpu_fwd(&self, x_storage: &CpuStorage, x_layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = slice(x_storage, x_layout)?;
        let (_batch, _seq_len, d_model) = x_layout.shape().dims3()?;
        let saved = self.attend(x)?;
        let mut y = x.to_vec();
        let width = self.setup.shape.n_heads * self.setup.shape.head_dim;
        let o = Reading::of(&self.branch.o.tensor);
        self.fused.project(
            Matrix::new(&saved.attended, width),
            o.slice()?,
            Write::Add,
            MatrixMut::new(&mut y, d_model),
        );
        if self.fused.activations == Activations::Keep {
            *self.saved.lock().unwrap_or_else(PoisonError::into_inner) = Some(saved);
        }
        Ok((CpuStorage::F32(y), x_layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let gradient = gradient.contiguous()?;
        let (x_read, gradient_read) = (Reading::of(x), Reading::of(&gradient));
        let saved = match self.saved.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(saved) => saved,
            None => self.attend(x_read.slice()?)?,
        };
        let dx = self.gradient(x_read.slice()?, &saved, gradient_read.slice()?)?;
        Ok(Some(tensor(dx, x.shape())?))
    }
}
