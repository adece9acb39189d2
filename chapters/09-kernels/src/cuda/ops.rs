//! The model's operations on the device: [`Cuda`].
//!
//! The same two branches as [`Fused`](crate::Fused) has on the CPU, launched instead of computed: the host decides what runs on which memory and is far ahead of
//! the device, which works through the list. Nothing here waits for the device except where the host must know a number: the tokens of a
//! batch before its first kernel, and the norm of all gradients before the optimiser.
//!
//! What the kernels cannot do (a cache of keys and values, weights that are results of other operations) goes to the reference operations.

mod attention_branch;
mod embedding;
mod feed_forward_branch;
mod next_token_loss;
mod optimizer;
mod rms_norm;
mod target_log_probs;

use std::collections::BTreeMap;
use std::sync::Arc;

use ::attention::KeyValueStore;
use candle_core::{DType, Result, Tensor};
use transformer::ops::summed_loss;
use transformer::{
    AttentionBranch, AttentionLayout, FeedForwardBranch, LlamaAttention, LlamaFeedForward, Ops, Reference, Weight,
};

use super::copies::Copies;
use super::device_op::apply;
use super::gpu::Gpu;
use super::machine::Machine;
use super::memory::View;
use super::profile::Profile;
use super::{gpu, tensors};
use crate::fallbacks::Fallbacks;
use crate::gradient_store::GradientStore;
use crate::matmul::Write;
use crate::{Activations, Precision};

// ANCHOR: cuda
/// The model's operations on CUDA kernels.
#[derive(Debug, Clone)]
pub struct Cuda {
    gpu: Gpu,
    activations: Activations,
    copies: Copies,
    gradients: GradientStore,
    fallbacks: Fallbacks,
}
// ANCHOR_END: cuda

impl Cuda {
    pub(super) fn on(machine: Arc<dyn Machine>, precision: Precision, activations: Activations) -> Self {
        let gpu = Gpu::new(machine, precision);
        let (copies, gradients, fallbacks) = Default::default();
        Self { gpu, activations, copies, gradients, fallbacks }
    }

    /// The same, with a record of what they hand on.
    pub fn with_fallbacks(self, fallbacks: Fallbacks) -> Self {
        Self { fallbacks, ..self }
    }

    /// Whether the kernels can work on an input and weights; if not, that is recorded.
    fn takes(&self, operation: &str, x: &Tensor, weights: &[&Weight]) -> bool {
        let is_strange = |weight: &&&Weight| weight.tensor.dtype() != DType::F32 || !weight.tensor.is_contiguous();
        let strange = weights.iter().find(is_strange).map(|weight| &weight.tensor);
        if let Some(strange) = strange.or_else(|| Some(x).filter(|x| x.dtype() != DType::F32)) {
            self.fallbacks.hand_on(operation, strange);
            return false;
        }
        !self.fallbacks.has_derived(operation, weights)
    }

    /// Whether the kernel knows this attention of `seq_len` tokens: rotary, nothing hidden but by causality; if not, that is recorded.
    fn knows_attention(&self, layout: &AttentionLayout, seq_len: usize, store: &dyn KeyValueStore) -> bool {
        let reason = if layout.rope.is_none() {
            "positions are not rotary"
        } else if !layout.is_causal_only(seq_len, store) {
            "a sliding window hides keys"
        } else {
            return true;
        };
        self.fallbacks.record(format!("attention: {reason}; runs on reference operations, slower"));
        false
    }

    /// Times every launch and every product from now on, of all clones.
    ///
    /// # Errors
    /// If the device fails.
    pub fn start_profile(&self) -> Result<()> {
        self.gpu.start_profile()
    }

    /// What they took since then, once the device is done; nothing is timed any more.
    ///
    /// # Errors
    /// If none was started, or the device fails.
    pub fn stop_profile(&self) -> Result<Profile> {
        self.gpu.stop_profile()
    }

    /// Sums the gradient `dyᵀ` · `x` of weights that stand one below the other, if they are trained.
    ///
    /// # Errors
    /// If shapes do not fit or the device fails.
    fn sum_weight_gradient(
        &self,
        weights: &[&Weight],
        dy: gpu::Matrix<'_>,
        x: gpu::Matrix<'_>,
        d_in: usize,
    ) -> Result<()> {
        self.gradients.accumulate_stack(weights, |sum, write| {
            let sum = gpu::Matrix::new(tensors::place(sum)?, d_in);
            let addend = (write == Write::Add).then_some(sum);
            self.gpu.multiply(dy.transposed(), x, addend, sum)
        })
    }

    /// Lets `add` add to the sum of a weight's gradient, if it is trained.
    ///
    /// # Errors
    /// Those of `add`.
    fn add_weight_gradient(&self, weight: &Weight, add: impl FnOnce(Option<View<'_>>) -> Result<()>) -> Result<()> {
        if !weight.tensor.is_variable() {
            return add(None);
        }
        self.gradients.accumulate_stack(&[weight], |sum, write| {
            let sum = tensors::place(sum)?;
            if write == Write::Replace {
                self.gpu.zero(sum)?;
            }
            add(Some(sum))
        })
    }
}

// ANCHOR: ops
impl Ops for Cuda {
    fn embedding(&self, tokens: &Tensor, weight: &Weight) -> Result<Tensor> {
        if !self.takes("embedding", &weight.tensor, &[weight]) {
            return Reference.embedding(tokens, weight);
        }
        apply(&weight.tensor, embedding::Embedding::new(self, tokens, weight)?)
    }

    fn linear(&self, x: &Tensor, weight: &Weight) -> Result<Tensor> {
        Reference.linear(x, weight)
    }

    fn rms_norm(&self, x: &Tensor, weight: &Weight, eps: f64) -> Result<Tensor> {
        if !self.takes("RMSNorm", x, &[weight]) {
            return Reference.rms_norm(x, weight, eps);
        }
        apply(x, rms_norm::RmsNorm::new(self, weight, eps))
    }

    fn attention(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        layout: AttentionLayout,
        store: &mut dyn KeyValueStore,
    ) -> Result<Tensor> {
        Reference.attention(q, k, v, layout, store)
    }

    fn swiglu(&self, gate: &Tensor, up: &Tensor) -> Result<Tensor> {
        Reference.swiglu(gate, up)
    }

    fn target_log_probs(&self, hidden: &Tensor, head: &Weight, targets: &Tensor) -> Result<Tensor> {
        if !self.takes("head and loss", hidden, &[head]) {
            return Reference.target_log_probs(hidden, head, targets);
        }
        apply(hidden, target_log_probs::TargetLogProbs::new(self, head, targets)?)
    }

    fn next_token_loss(
        &self,
        hidden: &Tensor,
        head: &Weight,
        targets: &Tensor,
        mask: Option<&Tensor>,
    ) -> Result<Tensor> {
        let is_training = hidden.track_op() && head.tensor.is_variable();
        if !is_training || !self.takes("head and loss", hidden, &[head]) {
            return summed_loss(self.target_log_probs(hidden, head, targets)?, mask);
        }
        apply(hidden, next_token_loss::NextTokenLoss::new(self, head, targets, mask)?)
    }

    fn attention_branch(
        &self,
        x: &Tensor,
        branch: &AttentionBranch,
        eps: f64,
        layout: AttentionLayout,
        store: &mut dyn KeyValueStore,
    ) -> Result<Tensor> {
        let Some(llama) = branch.as_llama() else {
            self.fallbacks.hand_on_parts("attention branch");
            return branch.compose(self, x, eps, layout, store);
        };
        let LlamaAttention { norm, q, k, v, o } = &llama;
        if store.remembers() {
            self.fallbacks
                .record("attention with a cache: no kernel of a GPU; runs on reference operations, slower".into());
            return branch.compose(self, x, eps, layout, store);
        }
        if !self.takes("attention branch", x, &[norm, q, k, v, o])
            || !all_or_none_trained(&[q, k, v])
            || !self.knows_attention(&layout, x.dim(1)?, store)
        {
            return branch.compose(self, x, eps, layout, store);
        }
        apply(x, attention_branch::AttentionBranchOp::new(self, &llama, eps, x, layout)?)
    }

    fn feed_forward_branch(&self, x: &Tensor, branch: &FeedForwardBranch, eps: f64) -> Result<Tensor> {
        let Some(llama) = branch.as_llama() else {
            self.fallbacks.hand_on_parts("feed-forward branch");
            return branch.compose(self, x, eps);
        };
        let LlamaFeedForward { norm, gate, up, down } = &llama;
        if !self.takes("feed-forward branch", x, &[norm, gate, up, down]) || !all_or_none_trained(&[gate, up]) {
            return branch.compose(self, x, eps);
        }
        apply(x, feed_forward_branch::FeedForwardBranchOp::new(self, &llama, eps, x)?)
    }

    fn take_gradients(&self) -> BTreeMap<String, Tensor> {
        self.gradients.take()
    }

    fn uses_all_cores(&self) -> bool {
        true
    }

    fn weights_changed(&self) {
        self.copies.clear();
    }
}
// ANCHOR_END: ops

/// Gradients of a stack are one product.
fn all_or_none_trained(weights: &[&Weight]) -> bool {
    weights.iter().all(|weight| weight.tensor.is_variable() == weights[0].tensor.is_variable())
}

/// The ids of a tensor, which the host must wait for.
///
/// # Errors
/// If one is not below `vocab_size`.
fn checked_tokens(gpu: &Gpu, tokens: &Tensor, vocab_size: usize) -> Result<Vec<u32>> {
    let tokens = gpu.read_u32(tensors::view(tokens)?)?;
    match tokens.iter().find(|&&token| token as usize >= vocab_size) {
        Some(token) => candle_core::bail!("token {token} is not in the vocabulary of {vocab_size}"),
        None => Ok(tokens),
    }
}
