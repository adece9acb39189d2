//! Files that claim what no file holds are refused, and no memory is asked for on their word: an allocator that counts watches.
//!
//! One test alone, since the allocator counts the whole process.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::Device;
use peak_alloc::PeakAlloc;
use serde_json::{Value as Json, json};
use tokenizer::gguf::Value;
use transformer::gguf::Storage;
use transformer::{GgufFile, Transformer};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Room to say what is wrong, and for a page of messages.
const MAX_GROWTH_BYTES: usize = 4 << 20;

/// Calls `open`, which must fail, and checks what it says and how much memory it took.
fn refused(what: &str, expected: &str, open: impl FnOnce() -> candle_core::Result<Transformer>) {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let message = open().map(|_| what).unwrap_err().to_string();
    let growth = ALLOCATOR.peak_usage().saturating_sub(before);
    assert!(message.contains(expected), "{what}: {message}");
    assert!(growth < MAX_GROWTH_BYTES, "{what}: {growth} bytes were allocated");
}

fn family() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/reference/families/llama2")
}

/// A GGUF file of these parts.
fn gguf(n_tensors: u64, n_pairs: u64, rest: &[u8]) -> Vec<u8> {
    [b"GGUF", &3_u32.to_le_bytes()[..], &n_tensors.to_le_bytes(), &n_pairs.to_le_bytes(), rest].concat()
}

fn text(claimed: u64, bytes: &[u8]) -> Vec<u8> {
    [&claimed.to_le_bytes()[..], bytes].concat()
}

const HUGE: u64 = 1 << 60;

#[test]
fn no_claim_is_paid_for() {
    // candle's errors hold a backtrace when RUST_BACKTRACE asks for it; the first one that is printed reads 70 MB of symbols.
    Transformer::load(Path::new("nowhere"), &Device::Cpu).unwrap_err().to_string();
    headers_of_gguf();
    keys_of_gguf();
    headers_of_safetensors();
    configurations();
}

fn headers_of_gguf() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.gguf");
    let array = |kind: u32, n: u64| {
        [text(1, b"k"), 9_u32.to_le_bytes().to_vec(), kind.to_le_bytes().to_vec(), n.to_le_bytes().to_vec()].concat()
    };
    let tensor = |dims: &[u64]| {
        let dims: Vec<u8> = dims.iter().flat_map(|dim| dim.to_le_bytes()).collect();
        [text(1, b"t"), ((dims.len() / 8) as u32).to_le_bytes().to_vec(), dims, vec![0; 128]].concat()
    };
    let cases: [(&str, Vec<u8>, &str); 8] = [
        ("tensors", gguf(HUGE, 0, &[]), "cannot be read to the end"),
        ("pairs", gguf(0, HUGE, &[]), "cannot be read to the end"),
        ("a key", gguf(0, 1, &text(HUGE, b"k")), "a text of 1152921504606846976 bytes does not fit"),
        ("an array", gguf(0, 1, &array(4, HUGE)), "an array of 1152921504606846976 values"),
        ("an array of texts", gguf(0, 1, &array(8, 1 << 40)), "an array of 1099511627776 values"),
        ("an array of arrays", gguf(0, 1, &array(9, 1 << 20)), "an array of 1048576 values"),
        ("a row", gguf(1, 0, &tensor(&[HUGE])), "leave the file"),
        ("a product", gguf(1, 0, &tensor(&[HUGE, HUGE, HUGE, HUGE])), "leave the file"),
    ];
    for (what, bytes, expected) in cases {
        fs::write(&path, bytes).unwrap();
        refused(what, expected, || Transformer::load_gguf(&GgufFile::open(&path)?, &Device::Cpu));
    }
}

/// A whole file of a small model, but for one key.
fn keys_of_gguf() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.gguf");
    let model = Transformer::load(&family(), &Device::Cpu).unwrap();
    model.save_gguf(&path, Storage::F32, Vec::new()).unwrap();
    let file = GgufFile::open(&path).unwrap();
    let keys = ["block_count", "embedding_length", "feed_forward_length", "context_length", "attention.head_count"];
    for key in keys {
        let key = format!("llama.{key}");
        let mut pairs: Vec<_> = file.metadata().clone().into_iter().filter(|(other, _)| *other != key).collect();
        pairs.push((key.clone(), Value::Integer(1 << 40)));
        let tensors: Vec<_> =
            file.tensors().map(|(name, kind, _)| (name.to_owned(), file.read(name).unwrap(), kind)).collect();
        let hostile = folder.path().join("b.gguf");
        transformer::gguf::write::write_gguf(&hostile, &pairs, &tensors).unwrap();
        refused(&key, "1099511627776", || Transformer::load_gguf(&GgufFile::open(&hostile)?, &Device::Cpu));
    }
}

fn headers_of_safetensors() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(family().join("config.json"), folder.path().join("config.json")).unwrap();
    let header = |n_claimed: u64, text: &str| [&n_claimed.to_le_bytes()[..], text.as_bytes()].concat();
    let shape = r#"{"a":{"dtype":"F32","shape":[1152921504606846976],"data_offsets":[0,4611686018427387904]}}"#;
    let cases = [("a header", header(HUGE, "{}")), ("a tensor", header(shape.len() as u64, shape))];
    for (what, bytes) in cases {
        fs::write(folder.path().join("model.safetensors"), bytes).unwrap();
        refused(what, "cannot read", || Transformer::load(folder.path(), &Device::Cpu));
    }
}

fn configurations() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(family().join("model.safetensors"), folder.path().join("model.safetensors")).unwrap();
    let config: Json = serde_json::from_slice(&fs::read(family().join("config.json")).unwrap()).unwrap();
    let keys = [
        "num_hidden_layers",
        "hidden_size",
        "intermediate_size",
        "max_position_embeddings",
        "num_attention_heads",
        "vocab_size",
        "head_dim",
    ];
    // Possible as a number, but tables for so many positions are not made.
    let cases = keys.map(|key| (key, 1_u64 << 40)).into_iter().chain([("max_position_embeddings", 1 << 31)]);
    for (key, value) in cases {
        let mut config = config.clone();
        config[key] = json!(value);
        fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        refused(key, &value.to_string(), || Transformer::load(folder.path(), &Device::Cpu));
    }
}
