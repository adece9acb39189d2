//! The kernels behind the model's seam: [`Fused`] runs the same [`Transformer`](transformer::Transformer) as the reference operations.
//!
//! Each operation comes twice. As a *primitive* (a linear layer, a norm) it is a candle custom op with a backward, and any model may be composed of
//! them. As a *branch* (half a block) it is one custom op from residual stream to residual stream: candle's backward pass then makes one gradient
//! tensor where a graph of primitives makes eight, and what the backward needs is chosen by us. Gradients of weights go to a [`GradientStore`].
//!
//! What the kernels cannot do (another dtype or device, gradients through a cache of keys and values) goes to the reference operations.

mod attention;
mod attention_branch;
mod embedding;
mod feed_forward_branch;
mod inference;
mod linear;
mod next_token_loss;
mod optimizer;
mod quantized;
mod rms_norm;
mod swiglu;

use std::collections::BTreeMap;

use ::attention::KeyValueStore;
use candle_core::{CustomOp1, CustomOp2, CustomOp3, Result, Tensor};
use transformer::ops::summed_loss;
use transformer::{AttentionBranch, AttentionLayout, FeedForwardBranch, Ops, Reference, Weight};

pub use self::quantized::Quantized;
use crate::Isa;
use crate::fallbacks::Fallbacks;
use crate::gradient_store::GradientStore;
use crate::matmul::Precision;
use crate::matvec::MAX_ROWS;
use crate::scratch::Scratch;
use crate::storage::is_supported;

// ANCHOR: fused
/// What a branch keeps from its forward to its backward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Activations {
    /// The results of products and of attention; what is cheap is computed again.
    #[default]
    Keep,
    /// Nothing: the backward pass begins with another forward pass (Chen et al. 2016, arXiv 1604.06174).
    Recompute,
}

/// The model's operations on CPU kernels.
#[derive(Debug, Clone)]
pub struct Fused {
    pub(crate) isa: Isa,
    pub(crate) precision: Precision,
    pub(crate) activations: Activations,
    pub(crate) scratch: Scratch,
    pub(crate) gradients: GradientStore,
    pub(crate) fallbacks: Fallbacks,
}

impl Fused {
    /// Kernels at the machine's widest instructions.
    pub fn new(precision: Precision, activations: Activations) -> Self {
        Self {
            isa: Isa::best(),
            precision,
            activations,
            scratch: Scratch::default(),
            gradients: GradientStore::default(),
            fallbacks: Fallbacks::default(),
        }
    }

    /// The same at certain instructions.
    pub fn with_isa(self, isa: Isa) -> Self {
        Self { isa, ..self }
    }

    /// The same with another record of what it hands on.
    pub fn with_fallbacks(self, fallbacks: Fallbacks) -> Self {
        Self { fallbacks, ..self }
    }
}
// ANCHOR_END: fused

// ANCHOR: ops
impl Ops for Fused {
    fn embedding(&self, tokens: &Tensor, weight: &Weight) -> Result<Tensor> {
        if !self.fallbacks.supports("embedding", &[&weight.tensor])
            || self.fallbacks.has_derived("embedding", &[weight])
        {
            return Reference.embedding(tokens, weight);
        }
        apply1(&weight.tensor, embedding::Embedding::new(self, tokens, weight)?)
    }

    fn linear(&self, x: &Tensor, weight: &Weight) -> Result<Tensor> {
        if !self.fallbacks.supports("linear", &[x, &weight.tensor]) {
            return Reference.linear(x, weight);
        }
        apply2(&x.contiguous()?, &weight.tensor, linear::Linear::new(self, weight))
    }

    fn rms_norm(&self, x: &Tensor, weight: &Weight, eps: f64) -> Result<Tensor> {
        if !self.fallbacks.supports("RMSNorm", &[x, &weight.tensor]) {
            return Reference.rms_norm(x, weight, eps);
        }
        apply2(&x.contiguous()?, &weight.tensor, rms_norm::RmsNorm::new(self, weight, eps))
    }

    fn attention(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        layout: AttentionLayout,
        store: &mut dyn KeyValueStore,
    ) -> Result<Tensor> {
        if store.remembers() && is_tracked(&[q, k, v])
            || !self.fallbacks.supports("attention", &[q, k, v])
            || !self.fallbacks.knows_heads(&layout, q.dim(2)?)
        {
            return Reference.attention(q, k, v, layout, store);
        }
        if store.remembers() {
            return self.remembering_attention([q, k, v], layout, store);
        }
        let op = attention::Attention::new(self, q, layout)?;
        apply3(&q.contiguous()?, &k.contiguous()?, &v.contiguous()?, op)
    }

    fn swiglu(&self, gate: &Tensor, up: &Tensor) -> Result<Tensor> {
        if !self.fallbacks.supports("SwiGLU", &[gate, up]) {
            return Reference.swiglu(gate, up);
        }
        apply2(&gate.contiguous()?, &up.contiguous()?, swiglu::SwiGlu::new(self))
    }

    fn target_log_probs(&self, hidden: &Tensor, head: &Weight, targets: &Tensor) -> Result<Tensor> {
        if !self.fallbacks.supports("head and loss", &[hidden, &head.tensor]) {
            return Reference.target_log_probs(hidden, head, targets);
        }
        apply2(&hidden.contiguous()?, &head.tensor, next_token_loss::TargetLogProbs::new(self, head, targets)?)
    }

    fn next_token_loss(
        &self,
        hidden: &Tensor,
        head: &Weight,
        targets: &Tensor,
        mask: Option<&Tensor>,
    ) -> Result<Tensor> {
        let is_training = hidden.track_op() && head.tensor.is_variable();
        if !is_training || !is_supported(&[hidden, &head.tensor]) {
            return summed_loss(self.target_log_probs(hidden, head, targets)?, mask);
        }
        apply1(&hidden.contiguous()?, next_token_loss::NextTokenLoss::new(self, head, targets, mask)?)
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
        let weights = [&llama.norm, &llama.q, &llama.k, &llama.v, &llama.o];
        if !self.fallbacks.knows_heads(&layout, llama.q.tensor.dim(0)?) {
            return branch.compose(self, x, eps, layout, store);
        }
        if store.remembers() && !is_inference(x, &weights) || !self.can_fuse("attention branch", x, &weights) {
            return branch.compose(self, x, eps, layout, store);
        }
        if store.remembers() {
            return self.remembering_branch(self, x, &llama, eps, layout, store);
        }
        apply1(&x.contiguous()?, attention_branch::AttentionBranchOp::new(self, &llama, eps, x, layout)?)
    }

    fn feed_forward_branch(&self, x: &Tensor, branch: &FeedForwardBranch, eps: f64) -> Result<Tensor> {
        let Some(llama) = branch.as_llama() else {
            self.fallbacks.hand_on_parts("feed-forward branch");
            return branch.compose(self, x, eps);
        };
        let weights = [&llama.norm, &llama.gate, &llama.up, &llama.down];
        if !self.can_fuse("feed-forward branch", x, &weights) {
            return branch.compose(self, x, eps);
        }
        if is_inference(x, &weights) && (1..=MAX_ROWS).contains(&n_rows(x)) {
            return self.inference_feed_forward(self, x, &llama, eps);
        }
        apply1(&x.contiguous()?, feed_forward_branch::FeedForwardBranchOp::new(self, &llama, eps))
    }

    fn take_gradients(&self) -> BTreeMap<String, Tensor> {
        self.gradients.take()
    }

    fn uses_all_cores(&self) -> bool {
        true
    }
}
// ANCHOR_END: ops

impl Fused {
    /// Whether a branch can be one op: all numbers are where the kernels work, and no weight is the result of other operations, whose gradient
    /// candle's graph would want to have. Numbers of another kind are recorded by the operations that the branch is then made of.
    fn can_fuse(&self, branch: &str, x: &Tensor, weights: &[&Weight]) -> bool {
        is_supported(&[x])
            && weights.iter().all(|weight| is_supported(&[&weight.tensor]))
            && !self.fallbacks.has_derived(branch, weights)
    }
}

/// Whether no gradient will be asked for.
fn is_inference(x: &Tensor, weights: &[&Weight]) -> bool {
    !x.track_op() && !weights.iter().any(|weight| weight.tensor.track_op())
}

fn is_tracked(tensors: &[&Tensor]) -> bool {
    tensors.iter().any(|tensor| tensor.track_op())
}

/// Rows of a stream `(batch, seq_len, d_model)`.
fn n_rows(x: &Tensor) -> usize {
    x.dims().iter().rev().skip(1).product()
}

fn apply1<C: CustomOp1 + 'static + Send + Sync>(x: &Tensor, op: C) -> Result<Tensor> {
    if x.track_op() { x.apply_op1(op) } else { x.apply_op1_no_bwd(&op) }
}

fn apply2<C: CustomOp2 + 'static + Send + Sync>(a: &Tensor, b: &Tensor, op: C) -> Result<Tensor> {
    if a.track_op() || b.track_op() { a.apply_op2(b, op) } else { a.apply_op2_no_bwd(b, &op) }
}

fn apply3<C: CustomOp3 + 'static + Send + Sync>(a: &Tensor, b: &Tensor, c: &Tensor, op: C) -> Result<Tensor> {
    if a.track_op() || b.track_op() || c.track_op() { a.apply_op3(b, c, op) } else { a.apply_op3_no_bwd(b, c, &op) }
}
