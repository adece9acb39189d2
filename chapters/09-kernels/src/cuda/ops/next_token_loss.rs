//! The head and the loss, when the loss is what is trained: gradients are ready with the loss, and the logits of all tokens together are never held.
//!
//! A chunk of rows at a time: its logits by a product, then log-probabilities and, in the logits' place, their gradient in one launch, then the two
//! products that lead on. The gradient of the loss itself, 1 as a rule, is read by the device when backward runs: asking for it would mean waiting.

use std::sync::{Mutex, PoisonError};

use candle_core::{Result, Shape, Tensor, bail};
use transformer::Weight;

use super::super::device_op::DeviceOp;
use super::super::gpu::Matrix;
use super::super::memory::{Buffer, Element, View};
use super::super::{cast, cross_entropy, tensors};
use super::Cuda;
use crate::training_memory::rows_per_chunk;

// ANCHOR: next_token_loss
/// −Σ mask · log p of the hidden states `(batch, seq_len, d_model)`; a scalar.
pub(super) struct NextTokenLoss {
    cuda: Cuda,
    head: Weight,
    targets: Tensor,     // (rows)
    d_log_probs: Tensor, // (rows): what the loss changes by with each log-probability
    saved: Mutex<Option<Saved>>,
}

/// Gradients of the loss, for an upstream gradient of 1.
struct Saved {
    dx: Buffer,
    dweight: Buffer,
}

impl NextTokenLoss {
    pub(super) fn new(cuda: &Cuda, head: &Weight, targets: &Tensor, mask: Option<&Tensor>) -> Result<Self> {
        let targets = targets.flatten_all()?.contiguous()?;
        let d_log_probs = match mask {
            Some(mask) => mask.flatten_all()?.neg()?.contiguous()?,
            None => Tensor::ones(targets.elem_count(), candle_core::DType::F32, targets.device())?.neg()?,
        };
        if d_log_probs.elem_count() != targets.elem_count() {
            bail!("a mask of {} for {} targets", d_log_probs.elem_count(), targets.elem_count());
        }
        let (cuda, head) = (cuda.clone(), head.clone());
        Ok(Self { cuda, head, targets, d_log_probs, saved: Mutex::new(None) })
    }

    /// The loss into `loss` `(1)`, and the gradients.
    fn loss_and_gradients(&self, x: View<'_>, loss: View<'_>) -> Result<Saved> {
        let gpu = &self.cuda.gpu;
        let (vocab_size, d_model) = self.head.tensor.dims2()?;
        let (targets, d_log_probs) = (tensors::view(&self.targets)?, tensors::view(&self.d_log_probs)?);
        let n_rows = targets.len();
        let head = self.cuda.copies.stacked(gpu, &[&self.head])?;
        let head = Matrix::new(head.view(), d_model); // (vocab_size, d_model)
        let x = cast::to_activations(gpu, x)?;
        let log_probs = gpu.buffer(Element::F32, n_rows)?;
        let saved = Saved {
            dx: gpu.buffer(Element::F32, n_rows * d_model)?,
            dweight: gpu.buffer(Element::F32, vocab_size * d_model)?,
        };
        let dweight = Matrix::new(saved.dweight.view(), d_model);
        let n_at_once = rows_per_chunk(n_rows, vocab_size);
        let logits = gpu.activations(n_at_once * vocab_size)?;
        for start in (0..n_rows).step_by(n_at_once) {
            let rows = start..n_rows.min(start + n_at_once);
            let logits = logits.view().part(0..rows.len() * vocab_size)?;
            let logits_rows = Matrix::new(logits, vocab_size);
            let x = Matrix::new(x.view(), d_model).rows(rows.clone())?;
            gpu.multiply(x, head.transposed(), None, logits_rows)?;
            let [targets, d_log_probs, log_probs] = [targets, d_log_probs, log_probs.view()];
            cross_entropy::forward_and_backward_in_place(
                gpu,
                logits,
                targets.part(rows.clone())?,
                d_log_probs.part(rows.clone())?,
                log_probs.part(rows.clone())?,
            )?;
            gpu.multiply(logits_rows, head, None, Matrix::new(saved.dx.view(), d_model).rows(rows)?)?;
            gpu.multiply(logits_rows.transposed(), x, (start > 0).then_some(dweight), dweight)?;
        }
        cross_entropy::weighted_sum(gpu, log_probs.view(), d_log_probs, loss)?;
        Ok(saved)
    }
}
// ANCHOR_END: next_token_loss

impl DeviceOp for NextTokenLoss {
    const NAME: &'static str = "next-token-loss";

    fn output_shape(&self, input: &Shape) -> Result<Shape> {
        let (vocab_size, d_model) = self.head.tensor.dims2()?;
        if input.elem_count() != self.targets.elem_count() * d_model {
            let n_targets = self.targets.elem_count();
            bail!("hidden states {input:?} for {n_targets} targets and a head of ({vocab_size}, {d_model})");
        }
        Ok(().into())
    }

    fn forward(&self, x: View<'_>, loss: View<'_>) -> Result<()> {
        let saved = self.loss_and_gradients(x, loss)?;
        *self.saved.lock().unwrap_or_else(PoisonError::into_inner) = Some(saved);
        Ok(())
    }

    fn backward(&self, _x: View<'_>, dy: View<'_>, dx: View<'_>) -> Result<()> {
        let Some(saved) = self.saved.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            bail!("the gradient of a loss can be asked for once");
        };
        let gpu = &self.cuda.gpu;
        cast::scale(gpu, saved.dx.view(), dy, dx)?;
        self.cuda.add_weight_gradient(&self.head, |dweight| match dweight {
            Some(dweight) => cast::add_scaled(gpu, saved.dweight.view(), dy, dweight),
            None => Ok(()),
        })
    }
}
