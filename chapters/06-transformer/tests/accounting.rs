//! The closed forms against what a model does: parameters that exist, and multiplications that happen.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use attention::KeyValueStore;
use candle_core::{Device, Result, Tensor};
use transformer::accounting::costs_by_part;
use transformer::{
    Architecture, AttentionLayout, ModelConfig, Ops, Reference, Transformer, Weight, flops_per_token, n_parameters,
};

fn configs() -> Vec<ModelConfig> {
    let sizes = ModelConfig {
        vocab_size: 61,
        d_model: 24,
        n_layers: 3,
        n_heads: 4,
        n_kv_heads: 2,
        d_ff: 40,
        max_seq_len: 16,
        rope_theta: 10_000.0,
        norm_eps: 1e-5,
        architecture: Architecture::LLAMA,
        tie_embeddings: true,
        init_std: 0.05,
    };
    let architectures = [
        Architecture::LLAMA,
        Architecture::GPT2,
        Architecture::QWEN2,
        Architecture { head_dim: Some(10), ..Architecture::QWEN3 },
        Architecture { sliding_window: Some(5), ..Architecture::LLAMA },
    ];
    let with = |architecture, tie_embeddings| ModelConfig { architecture, tie_embeddings, ..sizes.clone() };
    architectures.into_iter().flat_map(|architecture| [with(architecture, true), with(architecture, false)]).collect()
}

/// The reference operations, with a count of the floating-point operations of their matrix products.
#[derive(Debug, Default)]
struct Counting(AtomicUsize);

impl Counting {
    fn add(&self, n: usize) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }
}

impl Ops for Counting {
    fn embedding(&self, tokens: &Tensor, weight: &Weight) -> Result<Tensor> {
        Reference.embedding(tokens, weight)
    }

    fn linear(&self, x: &Tensor, weight: &Weight) -> Result<Tensor> {
        let (d_out, d_in) = weight.tensor.dims2()?;
        self.add(2 * x.elem_count() / d_in * d_in * d_out);
        Reference.linear(x, weight)
    }

    fn rms_norm(&self, x: &Tensor, weight: &Weight, eps: f64) -> Result<Tensor> {
        Reference.rms_norm(x, weight, eps)
    }

    fn attention(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        layout: AttentionLayout,
        store: &mut dyn KeyValueStore,
    ) -> Result<Tensor> {
        // QKᵀ and the product with V, each for every query with all keys or a window of them.
        let n_keys = layout.window.map_or(k.dim(1)?, |window| window.min(k.dim(1).unwrap()));
        self.add(2 * 2 * q.elem_count() * n_keys);
        Reference.attention(q, k, v, layout, store)
    }

    fn swiglu(&self, gate: &Tensor, up: &Tensor) -> Result<Tensor> {
        Reference.swiglu(gate, up)
    }

    fn target_log_probs(&self, hidden: &Tensor, head: &Weight, targets: &Tensor) -> Result<Tensor> {
        self.add(2 * hidden.elem_count() * head.tensor.dim(0)?);
        Reference.target_log_probs(hidden, head, targets)
    }
}

#[test]
fn formulas_equal_what_is_counted() {
    for config in configs() {
        let (batch, seq_len) = (2, 11);
        let counting = Arc::new(Counting::default());
        let model = Transformer::new(config.clone(), 1, &Device::Cpu).unwrap().with_ops(counting.clone()).unwrap();
        let tokens = Tensor::zeros((batch, seq_len), candle_core::DType::U32, &Device::Cpu).unwrap();
        model.next_token_loss(&tokens, &tokens, None).unwrap();
        let counted = counting.0.load(Ordering::Relaxed) as f64 / (batch * seq_len) as f64;
        // Each product's two gradients take as much again, each.
        assert_eq!(flops_per_token(&config, seq_len), 3.0 * counted, "{config:?}");
        assert_eq!(n_parameters(&config), model.parameters().n_scalars(), "{config:?}");

        let parts = costs_by_part(&config, seq_len);
        assert_eq!(parts.iter().map(|part| part.n_parameters).sum::<usize>(), n_parameters(&config), "{config:?}");
        assert_eq!(parts.iter().map(|part| part.forward_flops_per_token).sum::<f64>(), counted, "{config:?}");
    }
}
