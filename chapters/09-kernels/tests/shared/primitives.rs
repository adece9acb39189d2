//! The model out of primitives: what families run on whose branches no kernel knows whole.

use std::collections::BTreeMap;

use attention::KeyValueStore;
use candle_core::{Result, Tensor};
use kernels::Fused;
use transformer::{AttentionLayout, Ops, Weight};

/// The kernels without their branches.
#[derive(Debug)]
pub struct Primitives(pub Fused);

impl Ops for Primitives {
    fn embedding(&self, tokens: &Tensor, weight: &Weight) -> Result<Tensor> {
        self.0.embedding(tokens, weight)
    }
    fn linear(&self, x: &Tensor, weight: &Weight) -> Result<Tensor> {
        self.0.linear(x, weight)
    }
    fn rms_norm(&self, x: &Tensor, weight: &Weight, eps: f64) -> Result<Tensor> {
        self.0.rms_norm(x, weight, eps)
    }
    fn attention(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        layout: AttentionLayout,
        store: &mut dyn KeyValueStore,
    ) -> Result<Tensor> {
        self.0.attention(q, k, v, layout, store)
    }
    fn swiglu(&self, gate: &Tensor, up: &Tensor) -> Result<Tensor> {
        self.0.swiglu(gate, up)
    }
    fn target_log_probs(&self, hidden: &Tensor, head: &Weight, targets: &Tensor) -> Result<Tensor> {
        self.0.target_log_probs(hidden, head, targets)
    }
    fn take_gradients(&self) -> BTreeMap<String, Tensor> {
        self.0.take_gradients()
    }
}
