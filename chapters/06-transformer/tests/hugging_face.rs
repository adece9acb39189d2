//! A model folder that Hugging Face transformers wrote, opened here: same logits, same loss, same gradients.
//!
//! `tests/reference/model.py` made the folder and the numbers.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use transformer::Transformer;
use transformer::checkpoint::{CONFIG_FILE, WEIGHTS_FILE};

fn reference(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/reference").join(name)
}

fn golden() -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(reference("model.json")).unwrap()).unwrap()
}

fn ids(value: &serde_json::Value) -> Tensor {
    let rows: Vec<Vec<u32>> = serde_json::from_value(value.clone()).unwrap();
    Tensor::new(rows, &Device::Cpu).unwrap()
}

/// Our name of one of their parameters.
fn our_name(theirs: &str) -> String {
    let parts = [
        ("model.embed_tokens", "embedding"),
        ("model.norm", "final_norm"),
        ("lm_head", "head"),
        ("model.layers", "layers"),
        ("input_layernorm", "attention_norm"),
        ("post_attention_layernorm", "mlp_norm"),
        ("self_attn", "attention"),
        ("_proj", ""),
        (".weight", ""),
    ];
    parts.iter().fold(theirs.to_string(), |name, (from, to)| name.replace(from, to))
}

#[test]
fn logits_equal_those_of_transformers() {
    let model = Transformer::load(&reference("tiny-llama"), &Device::Cpu).unwrap();
    let config = model.config();
    assert_eq!((config.n_heads, config.n_kv_heads, config.tie_embeddings, config.rope_theta), (4, 2, false, 5_000.0));
    let golden = golden();
    let logits = model.logits(&ids(&golden["inputs"])).unwrap().to_vec3::<f32>().unwrap();
    let expected: Vec<Vec<f32>> = serde_json::from_value(golden["logits"].clone()).unwrap();
    let positions: Vec<usize> = serde_json::from_value(golden["positions"].clone()).unwrap();
    for (position, expected) in positions.into_iter().zip(expected) {
        for (token, (found, expected)) in logits[0][position].iter().zip(&expected).enumerate() {
            assert!(
                (found - expected).abs() < 1e-4,
                "position {position}, token {token}: {found}, transformers {expected}"
            );
        }
    }
}

#[test]
fn loss_and_gradients_equal_those_of_transformers() {
    let model = Transformer::load(&reference("tiny-llama"), &Device::Cpu).unwrap();
    let golden = golden();
    let log_probs = model.target_log_probs(&ids(&golden["inputs"]), &ids(&golden["targets"])).unwrap();
    let loss = log_probs.mean_all().unwrap().neg().unwrap();
    let (found, expected) = (f64::from(loss.to_scalar::<f32>().unwrap()), golden["loss"].as_f64().unwrap());
    assert!((found - expected).abs() < 1e-5 * expected, "loss {found}, transformers {expected}");

    let gradients = loss.backward().unwrap();
    let norms = golden["gradient_norms"].as_object().unwrap();
    assert_eq!(norms.len(), model.parameters().len());
    for (theirs, expected) in norms {
        let var = model.parameters().get(&our_name(theirs)).unwrap_or_else(|| panic!("no parameter for {theirs}"));
        let squares = gradients.get(var).unwrap().sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
        let (found, expected) = (f64::from(squares).sqrt(), expected.as_f64().unwrap());
        assert!((found - expected).abs() < 1e-3 * expected, "{theirs}: gradient norm {found}, transformers {expected}");
    }
}

/// The folder with one text of its `config.json` replaced.
fn load_with(from: &str, to: &str) -> candle_core::Result<Transformer> {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(reference("tiny-llama").join(WEIGHTS_FILE), folder.path().join(WEIGHTS_FILE)).unwrap();
    let config = fs::read_to_string(reference("tiny-llama").join(CONFIG_FILE)).unwrap();
    assert!(config.contains(from), "{from}");
    fs::write(folder.path().join(CONFIG_FILE), config.replace(from, to)).unwrap();
    Transformer::load(folder.path(), &Device::Cpu)
}

#[test]
fn rotary_settings_of_both_generations_of_the_format_are_read() {
    // Version 4 of transformers wrote `rope_theta` at the top, version 5 writes `rope_parameters`.
    let old = load_with("\"rope_parameters\": {", "\"rope_theta\": 777.0, \"something_else\": {").unwrap();
    assert_eq!(old.config().rope_theta, 777.0);
    assert_eq!(load_with("5000.0", "777.0").unwrap().config().rope_theta, 777.0);
    let error = load_with("\"rope_type\": \"default\"", "\"rope_type\": \"yarn\"").unwrap_err().to_string();
    assert!(error.contains("rope_type \"yarn\" is not supported"), "{error}");
}
