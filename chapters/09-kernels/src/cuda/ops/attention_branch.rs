//! Half a block as one operation: x + W_o · attention(norm(x)).
//!
//! The residual stream is f32, everything within the branch is of the products' type. The sum with x is made by the last product: cuBLAS adds
//! a matrix to its result on the way to memory.

use std::sync::{Mutex, PoisonError};

use candle_core::{Result, Shape, Tensor, bail};
use transformer::{AttentionLayout, LlamaAttention};

use super::super::attention::{self, AttentionShape};
use super::super::device_op::DeviceOp;
use super::super::gpu::Matrix;
use super::super::memory::{Buffer, Element, View};
use super::super::rope::{self, Turn};
use super::super::{cast, rms_norm, tensors};
use super::Cuda;
use crate::Activations;
use crate::storage::rotary_tables;

pub(super) struct AttentionBranchOp {
    cuda: Cuda,
    branch: LlamaAttention,
    eps: f32,
    shape: AttentionShape,
    cos: Tensor, // (seq_len, head_dim / 2)
    sin: Tensor,
    saved: Mutex<Option<Saved>>,
}

/// What backward needs of forward.
struct Saved {
    inverse_rms: Buffer, // (rows)
    qkv: Buffer,         // (rows, packed width)
    attended: Buffer,    // (rows, width)
    log_sum_exp: Buffer, // (batch, n_heads, seq_len)
}

impl Saved {
    fn of_attention(&self) -> attention::Saved<'_> {
        attention::Saved { qkv: self.qkv.view(), out: self.attended.view(), log_sum_exp: self.log_sum_exp.view() }
    }
}

impl AttentionBranchOp {
    pub(super) fn new(
        cuda: &Cuda,
        branch: &LlamaAttention,
        eps: f64,
        x: &Tensor,
        layout: AttentionLayout,
    ) -> Result<Self> {
        let (batch, seq_len, d_model) = x.dims3()?;
        let (width, q_in) = branch.q.tensor.dims2()?;
        let AttentionLayout { n_heads, n_kv_heads, rope, .. } = layout;
        if n_kv_heads == 0 || !n_heads.is_multiple_of(n_kv_heads) || !width.is_multiple_of(n_heads) {
            bail!(
                "width {width} does not divide into {n_heads} heads, or these into groups for {n_kv_heads} key-value heads"
            );
        }
        let shape = AttentionShape { batch, seq_len, n_heads, n_kv_heads, head_dim: width / n_heads };
        let kv_width = n_kv_heads * shape.head_dim;
        let fits = q_in == d_model
            && branch.k.tensor.dims() == [kv_width, d_model]
            && branch.v.tensor.dims() == [kv_width, d_model]
            && branch.o.tensor.dims() == [d_model, width]
            && branch.norm.tensor.dims() == [d_model];
        if !fits {
            bail!("the weights around {} do not fit a stream of width {d_model}", branch.q.name);
        }
        let [cos, sin] = rotary_tables(rope, 0..seq_len, shape.head_dim)?;
        let (cuda, branch) = (cuda.clone(), branch.clone());
        Ok(Self { cuda, branch, eps: eps as f32, shape, cos, sin, saved: Mutex::new(None) })
    }

    fn d_model(&self) -> usize {
        self.branch.norm.tensor.elem_count()
    }

    fn tables(&self) -> Result<[View<'_>; 2]> {
        Ok([tensors::view(&self.cos)?, tensors::view(&self.sin)?])
    }

    // ANCHOR: forward
    /// Everything up to the attention's output, from `x` `(rows, d_model)`.
    fn attend(&self, x: View<'_>) -> Result<Saved> {
        let (gpu, shape, d_model) = (&self.cuda.gpu, self.shape, self.d_model());
        let LlamaAttention { norm, q, k, v, .. } = &self.branch;
        let n_rows = shape.n_rows();
        let saved = Saved {
            inverse_rms: gpu.buffer(Element::F32, n_rows)?,
            qkv: gpu.activations(n_rows * shape.packed_width())?,
            attended: gpu.activations(n_rows * shape.width())?,
            log_sum_exp: gpu.buffer(Element::F32, n_rows * shape.n_heads)?,
        };
        let normed = gpu.activations(x.len())?;
        rms_norm::forward(gpu, x, tensors::view(&norm.tensor)?, self.eps, normed.view(), saved.inverse_rms.view())?;
        let weights = self.cuda.copies.stacked(gpu, &[q, k, v])?; // (packed width, d_model)
        let normed = Matrix::new(normed.view(), d_model);
        let qkv = Matrix::new(saved.qkv.view(), shape.packed_width());
        gpu.multiply(normed, Matrix::new(weights.view(), d_model).transposed(), None, qkv)?;
        rope::rotate(gpu, shape, self.tables()?, Turn::Forward, saved.qkv.view())?;
        attention::forward(gpu, shape, &saved.of_attention())?;
        Ok(saved)
    }
    // ANCHOR_END: forward

    // ANCHOR: backward
    /// The gradient of the packed queries, keys and values, from that of the result, in the products' type.
    fn packed_gradient(&self, saved: &Saved, gradient: View<'_>) -> Result<Buffer> {
        let (gpu, shape, d_model) = (&self.cuda.gpu, self.shape, self.d_model());
        let of_result = Matrix::new(gradient, d_model);
        let attended = Matrix::new(saved.attended.view(), shape.width());
        self.cuda.sum_weight_gradient(&[&self.branch.o], of_result, attended, shape.width())?;

        let o = self.cuda.copies.stacked(gpu, &[&self.branch.o])?; // (d_model, width)
        let d_attended = gpu.activations(saved.attended.view().len())?;
        let d_attended_rows = Matrix::new(d_attended.view(), shape.width());
        gpu.multiply(of_result, Matrix::new(o.view(), shape.width()), None, d_attended_rows)?;
        let d_qkv = gpu.activations(saved.qkv.view().len())?;
        attention::backward(gpu, shape, &saved.of_attention(), d_attended.view(), d_qkv.view())?;
        rope::rotate(gpu, shape, self.tables()?, Turn::Back, d_qkv.view())?;
        Ok(d_qkv)
    }

    /// From the gradient of the packed rows to that of `x`, which the residual stream passes on as `dy` and more.
    fn through_projections(
        &self,
        x: View<'_>,
        inverse_rms: View<'_>,
        d_qkv: View<'_>,
        dy: View<'_>,
        dx: View<'_>,
    ) -> Result<()> {
        let (gpu, d_model) = (&self.cuda.gpu, self.d_model());
        let LlamaAttention { norm, q, k, v, .. } = &self.branch;
        let weight = tensors::view(&norm.tensor)?;
        let normed = gpu.activations(x.len())?;
        rms_norm::apply(gpu, x, weight, inverse_rms, normed.view())?;
        let d_qkv = Matrix::new(d_qkv, self.shape.packed_width());
        self.cuda.sum_weight_gradient(&[q, k, v], d_qkv, Matrix::new(normed.view(), d_model), d_model)?;

        let weights = self.cuda.copies.stacked(gpu, &[q, k, v])?;
        let d_normed = normed; // Used up: its room serves for its gradient.
        gpu.multiply(d_qkv, Matrix::new(weights.view(), d_model), None, Matrix::new(d_normed.view(), d_model))?;
        let inputs = rms_norm::Inputs { x, weight, inverse_rms, dy: d_normed.view() };
        self.cuda.add_weight_gradient(norm, |dweight| rms_norm::backward(gpu, &inputs, Some(dy), dx, dweight))
    }
    // ANCHOR_END: backward
}

impl DeviceOp for AttentionBranchOp {
    const NAME: &'static str = "attention-branch";

    fn output_shape(&self, input: &Shape) -> Result<Shape> {
        Ok(input.clone())
    }

    fn forward(&self, x: View<'_>, y: View<'_>) -> Result<()> {
        let saved = self.attend(x)?;
        let (gpu, d_model, width) = (&self.cuda.gpu, self.d_model(), self.shape.width());
        let o = self.cuda.copies.stacked(gpu, &[&self.branch.o])?;
        let attended = Matrix::new(saved.attended.view(), width);
        let o = Matrix::new(o.view(), width).transposed();
        gpu.multiply(attended, o, Some(Matrix::new(x, d_model)), Matrix::new(y, d_model))?;
        if self.cuda.activations == Activations::Keep {
            *self.saved.lock().unwrap_or_else(PoisonError::into_inner) = Some(saved);
        }
        Ok(())
    }

    fn backward(&self, x: View<'_>, dy: View<'_>, dx: View<'_>) -> Result<()> {
        let saved = match self.saved.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(saved) => saved,
            None => self.attend(x)?,
        };
        let gradient = cast::to_activations(&self.cuda.gpu, dy)?;
        let d_qkv = self.packed_gradient(&saved, gradient.view())?;
        self.through_projections(x, saved.inverse_rms.view(), d_qkv.view(), dy, dx)
    }
}
