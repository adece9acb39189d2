//! What the book says a block keeps is what it keeps: counted from the shapes, and measured at the allocator.

#![allow(clippy::unwrap_used)]

#[path = "shared/primitives.rs"]
mod primitives;

use std::sync::Arc;

use attention::NoStore;
use candle_core::{DType, Device, Tensor};
use kernels::activation_memory::{Graph, kept_by_block};
use kernels::{Activations, Fused, Precision};
use peak_alloc::PeakAlloc;
use primitives::Primitives;
use transformer::{
    Architecture, Biases, FeedForwardKind, ModelConfig, NormKind, Ops, Positions, Reference, Transformer,
};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Every part that a family may have, alone, and whole families.
fn architectures() -> Vec<Architecture> {
    let llama = Architecture::LLAMA;
    vec![
        llama,
        Architecture { head_dim: Some(24), ..llama },
        Architecture { norm: NormKind::LayerNorm, ..llama },
        Architecture { feed_forward: FeedForwardKind::Gelu, ..llama },
        Architecture { positions: Positions::Learned, ..llama },
        Architecture { biases: Biases::All, ..llama },
        Architecture { sliding_window: Some(20), ..llama },
        Architecture::GPT2,
        Architecture::QWEN2,
        Architecture { head_dim: Some(24), ..Architecture::QWEN3 },
    ]
}

#[test]
fn a_block_keeps_what_is_counted() {
    let (config, _batch, _seq_len) = kernels::tour::example();
    let sizes = ModelConfig { n_kv_heads: 2, d_model: 192, d_ff: 512, ..config };
    let (batch, seq_len) = (2, 128);
    let fused = |activations| Fused::new(Precision::F32, activations);
    for (architecture, graph) in architectures().into_iter().flat_map(|parts| Graph::ALL.map(|graph| (parts, graph))) {
        let config = ModelConfig { architecture, ..sizes.clone() };
        let ops: Arc<dyn Ops> = match graph {
            Graph::Stock => Arc::new(Reference),
            Graph::Primitives => Arc::new(Primitives(fused(Activations::Keep))),
            Graph::Branches => Arc::new(fused(Activations::Keep)),
            Graph::Recompute => Arc::new(fused(Activations::Recompute)),
        };
        // What a block more keeps: room that blocks share cancels.
        let held = |n_layers: usize| {
            let model = Transformer::new(ModelConfig { n_layers, ..config.clone() }, 0, &Device::Cpu).unwrap();
            let model = model.with_ops(ops.clone()).unwrap();
            let tokens = Tensor::zeros((batch, seq_len), DType::U32, &Device::Cpu).unwrap();
            drop(model.residual(&tokens, &mut NoStore).unwrap()); // fills the pool of buffers
            let kept = model.residual(&tokens, &mut NoStore).unwrap();
            let held = ALLOCATOR.current_usage() as f64 - (model.parameters().n_scalars() * size_of::<f32>()) as f64;
            drop(kept);
            held
        };
        let (of_two, of_three) = (held(2), held(3)); // In this order: the pool only grows.
        let measured = of_three - of_two;
        let counted: usize = kept_by_block(&config, batch, seq_len, graph).map(|kept| kept.n_numbers).sum();
        let counted = (counted * size_of::<f32>()) as f64;
        // The graph's nodes have some bytes of their own.
        let error = counted / measured - 1.0;
        assert!(error.abs() < 0.02, "{graph:?}, {architecture:?}: {measured} bytes, counted {counted}");
    }
}
