//! What the book says a block keeps is what it keeps: counted from the shapes, and measured at the allocator.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use attention::{KeyValueStore, NoStore};
use candle_core::{DType, Device, Result, Tensor};
use kernels::activation_memory::{Graph, kept_by_block, kept_bytes};
use kernels::{Activations, Fused, Precision};
use transformer::{AttentionLayout, ModelConfig, Ops, Reference, Transformer, Weight};

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all is the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), SeqCst);
        // SAFETY: as the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), SeqCst);
        // SAFETY: as the caller's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The kernels without their branches.
#[derive(Debug)]
struct Primitives(Fused);

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
}

#[test]
fn a_block_keeps_what_is_counted() {
    let (config, _batch, _seq_len) = kernels::tour::example();
    let (config, batch, seq_len) = (ModelConfig { n_kv_heads: 2, ..config }, 2, 128);
    let fused = |activations| Fused::new(Precision::F32, activations);
    for graph in Graph::ALL {
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
            let held = LIVE.load(SeqCst) as f64 - (model.parameters().n_scalars() * size_of::<f32>()) as f64;
            drop(kept);
            held
        };
        let (of_two, of_three) = (held(2), held(3)); // In this order: the pool only grows.
        let measured = of_three - of_two;
        let counted = kept_bytes(&kept_by_block(&config, batch, seq_len), graph) as f64;
        // The graph's nodes have some bytes of their own.
        assert!((measured / counted - 1.0).abs() < 0.02, "{graph:?}: {measured} bytes, counted {counted}");
    }
}
