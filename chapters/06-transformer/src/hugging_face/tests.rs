//! Folders that transformers wrote, one for each family, opened here: same logits, same loss, same gradients; and what we write of them is what they hold.
//!
//! `tests/reference/families.py` made the folders and the numbers.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};

use super::{Family, names};
use crate::Transformer;
use crate::checkpoint::{Saving, WEIGHTS_FILE, read_safetensors};

const FAMILIES: [&str; 8] = ["gpt2", "llama2", "llama3", "llama-linear", "smollm2", "qwen2", "qwen3", "mistral"];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/reference/families").join(name)
}

/// The model, and what transformers computed with it.
fn load(name: &str) -> (Transformer, HashMap<String, Tensor>) {
    let model = Transformer::load(&folder(name), &Device::Cpu).unwrap();
    let golden = read_safetensors(&folder(name).join("golden.safetensors")).unwrap();
    (model, golden)
}

fn ids(tensor: &Tensor) -> Tensor {
    tensor.to_dtype(DType::U32).unwrap()
}

fn l2(tensor: &Tensor) -> f64 {
    f64::from(tensor.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap()).sqrt()
}

#[test]
fn logits_equal_those_of_transformers() {
    for name in FAMILIES {
        let (model, golden) = load(name);
        let logits = model.logits(&ids(&golden["inputs"])).unwrap();
        let apart = tensors::difference(&logits, &golden["logits"]).unwrap().max_abs;
        assert!(apart <= 1e-4, "{name}: a logit is off by {apart}");
    }
}

#[test]
fn loss_and_every_gradient_equal_those_of_transformers() {
    for name in FAMILIES {
        let (model, golden) = load(name);
        let (inputs, targets) = (ids(&golden["inputs"]), ids(&golden["targets"]));
        let loss = model.target_log_probs(&inputs, &targets).unwrap().mean_all().unwrap().neg().unwrap();
        let (found, expected) =
            (loss.to_scalar::<f32>().unwrap(), golden["loss"].squeeze(0).unwrap().to_scalar::<f32>().unwrap());
        assert!((found - expected).abs() < 1e-5 * expected, "{name}: loss {found}, transformers {expected}");

        let gradients = loss.backward().unwrap();
        let ours = model.parameters().iter().map(|(name, var)| (name.to_string(), gradients.get(var).unwrap().clone()));
        let ours = names::pack(Family::of(model.config()).unwrap(), ours).unwrap();
        let theirs: Vec<_> =
            golden.iter().filter_map(|(key, value)| Some((key.strip_prefix("gradient.")?, value))).collect();
        assert_eq!(theirs.len(), ours.len(), "{name}");
        let largest = theirs.iter().map(|(_, gradient)| l2(gradient)).fold(0.0, f64::max);
        for (parameter, expected) in theirs {
            let apart = l2(&(&ours[parameter] - expected).unwrap());
            // A gradient that is zero but for rounding has no relative error.
            let scale = l2(expected).max(1e-3 * largest);
            assert!(apart <= 1e-4 * scale, "{name}: gradient of {parameter} is off by {apart} of {scale}");
        }
    }
}

#[test]
fn what_is_written_is_what_transformers_wrote() {
    for name in FAMILIES {
        let (model, _) = load(name);
        let theirs = read_safetensors(&folder(name).join(WEIGHTS_FILE)).unwrap();
        let dtype = theirs.values().next().unwrap().dtype();
        let written = tempfile::tempdir().unwrap();
        let saving = Saving { bos_token_id: Some(1), eos_token_id: Some(2), dtype, max_file_bytes: usize::MAX };
        model.save_as(written.path(), saving).unwrap();
        let ours = read_safetensors(&written.path().join(WEIGHTS_FILE)).unwrap();
        assert_eq!(ours.len(), theirs.len(), "{name}");
        for (tensor, value) in &theirs {
            assert_eq!((ours[tensor].dtype(), ours[tensor].dims()), (dtype, value.dims()), "{name}: {tensor}");
            let apart =
                tensors::difference(&ours[tensor].to_dtype(DType::F32).unwrap(), &value.to_dtype(DType::F32).unwrap());
            assert_eq!(apart.unwrap().max_abs, 0.0, "{name}: {tensor}");
        }
        let again = Transformer::load(written.path(), &Device::Cpu).unwrap();
        assert_eq!(again.config(), model.config(), "{name}");
    }
}
