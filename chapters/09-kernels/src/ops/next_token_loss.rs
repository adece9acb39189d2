//! The head and the cross-entropy as custom ops: the logits of all tokens together are never held.
//!
//! [`NextTokenLoss`] knows what its result will be used for, a sum whose gradient is one number, and therefore has the gradients of the hidden
//! states and of the head ready when the loss is known: three products a chunk. [`TargetLogProbs`] must wait for the gradient of each
//! log-probability and computes the logits twice.

use std::sync::{Mutex, OnceLock, PoisonError};

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};
use transformer::Weight;

use super::Fused;
use super::embedding::checked_tokens;
use crate::cross_entropy::{self, CHUNK_ROWS, Gradients, Inputs};
use crate::matmul::Write;
use crate::scratch::Buffer;
use crate::storage::{Reading, slice, tensor};

// ANCHOR: next_token_loss
/// −Σ mask · log p as a custom op of the hidden states `(batch, seq_len, d_model)`; a scalar.
pub(super) struct NextTokenLoss {
    fused: Fused,
    head: Weight,
    targets: Vec<u32>,
    /// The gradient of the loss with respect to each log-probability.
    d_log_probs: Vec<f32>,
    saved: Mutex<Option<Saved>>,
}

/// Gradients of the loss, for an upstream gradient of 1.
struct Saved {
    dx: Vec<f32>,
    dweight: Buffer,
}

impl NextTokenLoss {
    pub(super) fn new(fused: &Fused, head: &Weight, targets: &Tensor, mask: Option<&Tensor>) -> Result<Self> {
        let (vocab_size, _d_model) = head.tensor.dims2()?;
        let targets = checked_tokens(targets, vocab_size)?;
        let d_log_probs = match mask {
            Some(mask) => mask.flatten_all()?.neg()?.to_vec1::<f32>()?,
            None => vec![-1.0; targets.len()],
        };
        Ok(Self { fused: fused.clone(), head: head.clone(), targets, d_log_probs, saved: Mutex::new(None) })
    }
}

impl CustomOp1 for NextTokenLoss {
    fn name(&self) -> &'static str {
        "next-token-loss"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let Fused { isa, precision, ref scratch, .. } = self.fused;
        let (vocab_size, d_model) = self.head.tensor.dims2()?;
        let weight = Reading::of(&self.head.tensor);
        let inputs = inputs(slice(storage, layout)?, weight.slice()?, d_model, &self.targets)?;
        let mut log_probs = vec![0.0; self.targets.len()];
        let (mut dx, mut dweight) = (vec![0.0; inputs.x.len()], scratch.take(inputs.weight.len()));
        let mut logits = scratch.take(CHUNK_ROWS.min(self.targets.len()) * vocab_size);
        let gradients = Gradients { dx: &mut dx, dweight: &mut dweight, write: Write::Replace };
        cross_entropy::forward_and_backward(
            isa,
            precision,
            inputs,
            &self.d_log_probs,
            &mut logits,
            &mut log_probs,
            gradients,
        );
        *self.saved.lock().unwrap_or_else(PoisonError::into_inner) = Some(Saved { dx, dweight });
        let counted = log_probs.iter().zip(&self.d_log_probs);
        let loss: f64 = counted.map(|(log_prob, weight)| f64::from(*log_prob) * f64::from(*weight)).sum();
        Ok((CpuStorage::F32(vec![loss as f32]), ().into()))
    }

    fn bwd(&self, x: &Tensor, _loss: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let Some(Saved { mut dx, mut dweight }) = self.saved.lock().unwrap_or_else(PoisonError::into_inner).take()
        else {
            bail!("the gradient of a loss can be asked for once");
        };
        let scale = gradient.to_scalar::<f32>()?;
        if scale != 1.0 {
            dx.iter_mut().chain(dweight.iter_mut()).for_each(|x| *x *= scale);
        }
        self.fused.add_weight_gradient(&self.head, &dweight)?;
        Ok(Some(tensor(dx, x.shape())?))
    }
}
// ANCHOR_END: next_token_loss

fn inputs<'a>(x: &'a [f32], weight: &'a [f32], d_model: usize, targets: &'a [u32]) -> Result<Inputs<'a>> {
    if x.len() != targets.len() * d_model {
        bail!("{} numbers of hidden states for {} targets of width {d_model}", x.len(), targets.len());
    }
    Ok(Inputs { x, weight, d_model, targets })
}

/// log p of each target, `(batch, seq_len)`, as a custom op of the hidden states and the head.
pub(super) struct TargetLogProbs {
    fused: Fused,
    head: Weight,
    targets: Vec<u32>,
    log_sum_exp: OnceLock<Vec<f32>>,
}

impl TargetLogProbs {
    pub(super) fn new(fused: &Fused, head: &Weight, targets: &Tensor) -> Result<Self> {
        let (vocab_size, _d_model) = head.tensor.dims2()?;
        let targets = checked_tokens(targets, vocab_size)?;
        Ok(Self { fused: fused.clone(), head: head.clone(), targets, log_sum_exp: OnceLock::new() })
    }
}

impl CustomOp2 for TargetLogProbs {
    fn name(&self) -> &'static str {
        "target-log-probs"
    }

    fn cpu_fwd(
        &self,
        x_storage: &CpuStorage,
        x_layout: &Layout,
        weight_storage: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let Fused { isa, precision, ref scratch, .. } = self.fused;
        let (batch, seq_len, _d_model) = x_layout.shape().dims3()?;
        let (vocab_size, d_model) = weight_layout.shape().dims2()?;
        let (x, weight) = (slice(x_storage, x_layout)?, slice(weight_storage, weight_layout)?);
        let inputs = inputs(x, weight, d_model, &self.targets)?;
        let n_rows = self.targets.len();
        let (mut log_probs, mut log_sum_exp) = (vec![0.0; n_rows], vec![0.0; n_rows]);
        let mut logits = scratch.take(CHUNK_ROWS.min(n_rows) * vocab_size);
        cross_entropy::forward(isa, precision, inputs, &mut logits, &mut log_probs, &mut log_sum_exp);
        let _ = self.log_sum_exp.set(log_sum_exp);
        Ok((CpuStorage::F32(log_probs), (batch, seq_len).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _log_probs: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let Fused { isa, precision, ref scratch, .. } = self.fused;
        let (vocab_size, d_model) = weight.dims2()?;
        let Some(log_sum_exp) = self.log_sum_exp.get() else { bail!("a loss has run backward before forward") };
        let gradient = gradient.contiguous()?;
        let (x_read, weight_read, gradient_read) = (Reading::of(x), Reading::of(weight), Reading::of(&gradient));
        let inputs = inputs(x_read.slice()?, weight_read.slice()?, d_model, &self.targets)?;
        let given = (log_sum_exp.as_slice(), gradient_read.slice()?);
        let mut dx = vec![0.0; inputs.x.len()];
        let mut logits = scratch.take(CHUNK_ROWS.min(self.targets.len()) * vocab_size);
        if weight.is_variable() {
            self.fused.gradients.accumulate(&self.head, |dweight, write| {
                let gradients = Gradients { dx: &mut dx, dweight, write };
                cross_entropy::backward(isa, precision, inputs, given, &mut logits, gradients);
            })?;
            return Ok((Some(tensor(dx, x.shape())?), None));
        }
        let mut dweight = vec![0.0; inputs.weight.len()];
        let gradients = Gradients { dx: &mut dx, dweight: &mut dweight, write: Write::Replace };
        cross_entropy::backward(isa, precision, inputs, given, &mut logits, gradients);
        Ok((Some(tensor(dx, x.shape())?), Some(tensor(dweight, weight.shape())?)))
    }
}
