//! A linear layer: one product forward, two backward.
//!
//! $Y = X W^\top$ gives $\partial L / \partial X = G W$ and $\partial L / \partial W = G^\top X$ for the gradient $G$ of $Y$. The second goes to the
//! weight's place in the [`GradientStore`](crate::gradient_store::GradientStore), written or added by the product itself.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use transformer::Weight;

use super::Fused;
use crate::few_rows;
use crate::matmul::{Precision, Threads, Write, matmul};
use crate::matrix::{Matrix, MatrixMut};
use crate::matvec::{self, Product};
use crate::storage::{Reading, slice, tensor};

// ANCHOR: linear
impl Fused {
    /// `out` `(rows, d_out)` = or += `x` `(rows, d_in)` · `weight`ᵀ; `weight` is `(d_out, d_in)`. A few rows are multiplied in f32 whatever the precision: their
    /// time is that of reading the weight.
    pub(crate) fn project(&self, x: Matrix<'_>, weight: &[f32], write: Write, out: MatrixMut<'_>) {
        if (1..=matvec::MAX_ROWS).contains(&x.n_rows()) {
            return matvec::matvec(self.isa, write, x, [Product { weight, out }]);
        }
        if self.precision != Precision::Bf16 && x.n_rows() <= few_rows::MAX_ROWS {
            return few_rows::multiply(self.isa, write, x, weight, out);
        }
        let weight = Matrix::new(weight, x.n_cols());
        matmul(self.isa, self.precision, Threads::All, write, x, weight.transposed(), out);
    }

    /// `dx` `(rows, d_in)` = or += `gradient` `(rows, d_out)` · `weight`.
    pub(crate) fn project_back(&self, gradient: Matrix<'_>, weight: &[f32], write: Write, dx: MatrixMut<'_>) {
        let weight = Matrix::new(weight, dx.n_cols());
        matmul(self.isa, self.precision, Threads::All, write, gradient, weight, dx);
    }

    /// `dweight` `(d_out, d_in)` = or += `gradient`ᵀ · `x`.
    pub(crate) fn outer(&self, gradient: Matrix<'_>, x: Matrix<'_>, write: Write, dweight: &mut [f32]) {
        let dweight = MatrixMut::new(dweight, x.n_cols());
        matmul(self.isa, self.precision, Threads::All, write, gradient.transposed(), x, dweight);
    }

    /// Sums the gradient of a weight, if it is trained.
    ///
    /// # Errors
    /// If the weight is not f32 on the CPU.
    pub(crate) fn sum_weight_gradient(&self, weight: &Weight, gradient: Matrix<'_>, x: Matrix<'_>) -> Result<()> {
        self.gradients.accumulate(weight, |dweight, write| self.outer(gradient, x, write, dweight))
    }
}
// ANCHOR_END: linear

// ANCHOR: custom_op
/// The layer as a custom op of `x` `(batch, seq_len, d_in)` and `weight` `(d_out, d_in)`.
pub(super) struct Linear {
    fused: Fused,
    weight: Weight,
}

impl Linear {
    pub(super) fn new(fused: &Fused, weight: &Weight) -> Self {
        Self { fused: fused.clone(), weight: weight.clone() }
    }
}

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x_storage: &CpuStorage,
        x_layout: &Layout,
        weight_storage: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (batch, seq_len, d_in) = x_layout.shape().dims3()?;
        let (d_out, weight_d_in) = weight_layout.shape().dims2()?;
        if d_in != weight_d_in {
            bail!("{} is ({d_out}, {weight_d_in}) and cannot be applied to width {d_in}", self.weight.name);
        }
        let (x, weight) = (slice(x_storage, x_layout)?, slice(weight_storage, weight_layout)?);
        let mut y = vec![0.0; batch * seq_len * d_out];
        self.fused.project(Matrix::new(x, d_in), weight, Write::Replace, MatrixMut::new(&mut y, d_out));
        Ok((CpuStorage::F32(y), (batch, seq_len, d_out).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _y: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (d_out, d_in) = weight.dims2()?;
        let gradient = gradient.contiguous()?;
        let (x_read, weight_read, gradient_read) = (Reading::of(x), Reading::of(weight), Reading::of(&gradient));
        let gradient = Matrix::new(gradient_read.slice()?, d_out);
        let rows = Matrix::new(x_read.slice()?, d_in);
        let dx = if x.track_op() {
            let mut dx = vec![0.0; x.elem_count()];
            self.fused.project_back(gradient, weight_read.slice()?, Write::Replace, MatrixMut::new(&mut dx, d_in));
            Some(tensor(dx, x.shape())?)
        } else {
            None
        };
        if weight.is_variable() {
            self.fused.sum_weight_gradient(&self.weight, gradient, rows)?;
            return Ok((dx, None));
        }
        let mut dweight = vec![0.0; d_out * d_in];
        self.fused.outer(gradient, rows, Write::Replace, &mut dweight);
        Ok((dx, Some(tensor(dweight, weight.shape())?)))
    }
}
// ANCHOR_END: custom_op
