//! log p of each target, when something else than their sum is wanted: evaluation and preferences. Backward computes the logits again.

use std::sync::{Mutex, PoisonError};

use candle_core::{Result, Shape, Tensor, bail};
use transformer::Weight;

use super::super::device_op::DeviceOp;
use super::super::gpu::Matrix;
use super::super::memory::{Buffer, Element, View};
use super::super::{cast, cross_entropy, tensors};
use super::Cuda;
use crate::training_memory::rows_per_chunk;

// ANCHOR: target_log_probs
/// Hidden states `(batch, seq_len, d_model)` → log-probabilities of the targets `(batch, seq_len)`.
pub(super) struct TargetLogProbs {
    cuda: Cuda,
    head: Weight,
    targets: Tensor, // (batch, seq_len)
    log_sum_exp: Mutex<Option<Buffer>>,
}

impl TargetLogProbs {
    pub(super) fn new(cuda: &Cuda, head: &Weight, targets: &Tensor) -> Result<Self> {
        let (_batch, _seq_len) = targets.dims2()?;
        let (cuda, head) = (cuda.clone(), head.clone());
        Ok(Self { cuda, head, targets: targets.contiguous()?, log_sum_exp: Mutex::new(None) })
    }

    /// Calls `work` for each chunk of rows with the rows' range, their input in the products' type, and their logits, which it may overwrite.
    fn for_each_chunk(
        &self,
        x: View<'_>,
        mut work: impl FnMut(std::ops::Range<usize>, Matrix<'_>, View<'_>) -> Result<()>,
    ) -> Result<()> {
        let gpu = &self.cuda.gpu;
        let (vocab_size, d_model) = self.head.tensor.dims2()?;
        let n_rows = self.targets.elem_count();
        let head = self.cuda.copies.stacked(gpu, &[&self.head])?;
        let x = cast::to_activations(gpu, x)?;
        let n_at_once = rows_per_chunk(n_rows, vocab_size);
        let logits = gpu.activations(n_at_once * vocab_size)?;
        for start in (0..n_rows).step_by(n_at_once) {
            let rows = start..n_rows.min(start + n_at_once);
            let logits = logits.view().part(0..rows.len() * vocab_size)?;
            let x = Matrix::new(x.view(), d_model).rows(rows.clone())?;
            let head = Matrix::new(head.view(), d_model).transposed();
            gpu.multiply(x, head, None, Matrix::new(logits, vocab_size))?;
            work(rows, x, logits)?;
        }
        Ok(())
    }
}
// ANCHOR_END: target_log_probs

impl DeviceOp for TargetLogProbs {
    const NAME: &'static str = "target-log-probs";

    fn output_shape(&self, input: &Shape) -> Result<Shape> {
        let (vocab_size, d_model) = self.head.tensor.dims2()?;
        if input.elem_count() != self.targets.elem_count() * d_model {
            let n_targets = self.targets.elem_count();
            bail!("hidden states {input:?} for {n_targets} targets and a head of ({vocab_size}, {d_model})");
        }
        Ok(self.targets.shape().clone())
    }

    fn forward(&self, x: View<'_>, log_probs: View<'_>) -> Result<()> {
        let gpu = &self.cuda.gpu;
        let targets = tensors::view(&self.targets)?;
        let log_sum_exp = gpu.buffer(Element::F32, targets.len())?;
        self.for_each_chunk(x, |rows, _x, logits| {
            let log_sum_exp = log_sum_exp.view().part(rows.clone())?;
            cross_entropy::forward(gpu, logits, targets.part(rows.clone())?, log_probs.part(rows)?, log_sum_exp)
        })?;
        *self.log_sum_exp.lock().unwrap_or_else(PoisonError::into_inner) = Some(log_sum_exp);
        Ok(())
    }

    fn backward(&self, x: View<'_>, dy: View<'_>, dx: View<'_>) -> Result<()> {
        let gpu = &self.cuda.gpu;
        let (vocab_size, d_model) = self.head.tensor.dims2()?;
        let log_sum_exp = self.log_sum_exp.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(log_sum_exp) = log_sum_exp.as_ref() else { bail!("a loss has run backward before forward") };
        let targets = tensors::view(&self.targets)?;
        let head = self.cuda.copies.stacked(gpu, &[&self.head])?;
        self.for_each_chunk(x, |rows, x, logits| {
            let log_sum_exp = log_sum_exp.view().part(rows.clone())?;
            let (targets, dy) = (targets.part(rows.clone())?, dy.part(rows.clone())?);
            cross_entropy::backward_in_place(gpu, logits, targets, log_sum_exp, dy)?;
            let d_logits = Matrix::new(logits, vocab_size);
            let dx = Matrix::new(dx, d_model).rows(rows)?;
            gpu.multiply(d_logits, Matrix::new(head.view(), d_model), None, dx)?;
            self.cuda.sum_weight_gradient(&[&self.head], d_logits, x, d_model)
        })
    }
}
