//! What the kernels hand on is said once, with its reason; what is meant to be handed on is not said.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use attention::{KeyValueStore, NoStore, Rope};
use candle_core::{DType, Device, Result, Tensor, Var};
use kernels::fallbacks::Fallbacks;
use kernels::{Activations, Fused, Precision};
use training::OptimizerOps;
use transformer::{AttentionLayout, ModelConfig, Ops, Transformer, Weight};

/// Kernels, and what they told.
fn kernels() -> (Fused, Arc<Mutex<Vec<String>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = told.clone();
    let fallbacks = Fallbacks::telling(move |entry| heard.lock().unwrap().push(entry.to_string()));
    (Fused::new(Precision::F32, Activations::Keep).with_fallbacks(fallbacks), told)
}

fn ones(shape: (usize, usize), dtype: DType) -> Tensor {
    Tensor::ones(shape, dtype, &Device::Cpu).unwrap()
}

fn weight(tensor: Tensor) -> Weight {
    Weight { name: Arc::from("w"), tensor }
}

#[test]
fn every_operation_says_once_that_it_was_handed_on() {
    let (fused, told) = kernels();
    let stream = ones((4, 8), DType::F64).reshape((1, 4, 8)).unwrap();
    let (matrix, gain) = (weight(ones((8, 8), DType::F64)), weight(Tensor::ones(8, DType::F64, &Device::Cpu).unwrap()));
    let ids = Tensor::zeros((1, 4), DType::U32, &Device::Cpu).unwrap();
    let rope = Rope::new(4, 4, 1e4, &Device::Cpu).unwrap();
    let layout = AttentionLayout { layer: 0, n_heads: 2, n_kv_heads: 2, rope: Some(&rope), window: None };
    for _ in 0..2 {
        fused.embedding(&ids, &matrix).unwrap();
        fused.linear(&stream, &matrix).unwrap();
        fused.rms_norm(&stream, &gain, 1e-5).unwrap();
        fused.attention(&stream, &stream, &stream, layout, &mut NoStore).unwrap();
        fused.swiglu(&stream, &stream).unwrap();
        fused.next_token_loss(&stream, &matrix, &ids, None).unwrap();
        fused.sum_of_squares(&[&stream]).unwrap();
    }
    let reason = "F64 on the CPU; runs on reference operations, slower";
    let names = ["embedding", "linear", "RMSNorm", "attention", "SwiGLU", "head and loss", "gradient norm"];
    assert_eq!(*told.lock().unwrap(), names.map(|name| format!("{name}: {reason}")));
}

#[test]
fn a_weight_that_other_operations_made_is_a_reason() {
    let (fused, told) = kernels();
    let var = Var::from_tensor(&ones((8, 8), DType::F32)).unwrap();
    let derived = weight((var.as_tensor() * 2.0).unwrap());
    fused.embedding(&Tensor::zeros((1, 4), DType::U32, &Device::Cpu).unwrap(), &derived).unwrap();
    let expected = "embedding: a weight is the result of other operations; runs in smaller steps, slower";
    assert_eq!(*told.lock().unwrap(), [expected]);
}

/// Keeps the keys and values of one layer.
#[derive(Default)]
struct Remembering(Option<(Tensor, Tensor)>, usize);

impl KeyValueStore for Remembering {
    fn len(&self) -> usize {
        self.1
    }

    fn append(&mut self, _layer: usize, k: Tensor, v: Tensor) -> Result<(Tensor, Tensor)> {
        let (k, v) = match &self.0 {
            None => (k, v),
            Some((old_k, old_v)) => (Tensor::cat(&[old_k, &k], 2)?, Tensor::cat(&[old_v, &v], 2)?),
        };
        self.0 = Some((k.clone(), v.clone()));
        Ok((k, v))
    }

    fn advance(&mut self, n_new: usize) {
        self.1 += n_new;
    }
}

#[test]
fn training_and_generating_say_nothing() {
    let config: ModelConfig = serde_json::from_value(serde_json::json!({
        "vocab_size": 16, "d_model": 8, "n_layers": 1, "n_heads": 2, "n_kv_heads": 1, "d_ff": 16, "max_seq_len": 8,
    }))
    .unwrap();
    let (fused, told) = kernels();
    let model = Transformer::new(config, 0, &Device::Cpu).unwrap().with_ops(Arc::new(fused)).unwrap();
    let ids = Tensor::zeros((1, 4), DType::U32, &Device::Cpu).unwrap();
    model.next_token_loss(&ids, &ids, None).unwrap().backward().unwrap();
    let mut store = Remembering::default();
    for _ in 0..2 {
        model.for_inference().unwrap().next_logits(&ids, &mut store).unwrap();
    }
    assert!(told.lock().unwrap().is_empty(), "a cache of keys and values is no reason to warn");
}
