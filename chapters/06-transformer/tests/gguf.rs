//! GGUF: values as the Python package `gguf` computes them, models that come back as they were, and no damage that panics.
//!
//! `tests/reference/gguf_blocks.py` made the file and the values.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use attention::RopeScaling;
use candle_core::{Device, Tensor};
use proptest::prelude::*;
use tensors::difference;
use tokenizer::gguf::{Header, TensorInfo, Value};
use transformer::gguf::block_type::BlockType;
use transformer::gguf::write::{Storage, write_gguf};
use transformer::{GgufFile, ModelConfig, Positions, Transformer};

fn reference(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/reference").join(name)
}

/// Name, shape and values of each tensor of the reference file.
fn golden() -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let about: serde_json::Value = serde_json::from_slice(&fs::read(reference("gguf/blocks.json")).unwrap()).unwrap();
    let values = fs::read(reference("gguf/values.bin")).unwrap();
    let mut values = values.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()));
    let tensors = about["tensors"].as_object().unwrap().iter();
    tensors
        .map(|(name, shape)| {
            let shape: Vec<usize> = serde_json::from_value(shape.clone()).unwrap();
            let n = shape.iter().product();
            (name.clone(), shape, values.by_ref().take(n).collect())
        })
        .collect()
}

fn numbers(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    // Zero has two signs, and both packages may give either.
    numbers.iter().map(|x| (x + 0.0).to_bits()).collect()
}

#[test]
fn values_equal_those_of_the_package_gguf_bit_for_bit() {
    let file = GgufFile::open(&reference("gguf/blocks.gguf")).unwrap();
    assert_eq!(file.metadata()["number"], Value::Number(0.5));
    let golden = golden();
    assert_eq!(file.tensors().count(), golden.len());
    for (name, shape, values) in golden {
        let tensor = file.read(&name).unwrap();
        assert_eq!(tensor.dims(), shape, "{name}");
        assert_eq!(bits(&numbers(&tensor)), bits(&values), "{name}");
    }
}

#[test]
fn what_we_quantise_is_what_the_package_quantises() {
    let golden = golden();
    let values = |kind: &str| &golden.iter().find(|(name, ..)| name == kind).unwrap().2;
    let matrix = Tensor::from_slice(values("F32"), (3, 256), &Device::Cpu).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.gguf");
    let types = [BlockType::F32, BlockType::F16, BlockType::Q8_0, BlockType::Q4_0];
    let tensors = types.map(|kind| (kind.name().to_string(), matrix.clone(), kind));
    write_gguf(&path, &[], &tensors).unwrap();
    let file = GgufFile::open(&path).unwrap();
    for kind in types {
        assert_eq!(bits(&numbers(&file.read(kind.name()).unwrap())), bits(values(kind.name())), "{}", kind.name());
    }
    // What f16 cannot hold is refused, and the file is as it was.
    let large = Tensor::from_slice(&[1e6_f32; 32], (1, 32), &Device::Cpu).unwrap();
    let error = write_gguf(&path, &[], &[("large".to_string(), large, BlockType::F16)]).unwrap_err().to_string();
    assert!(error.contains("large: 1000000 cannot be stored as F16; choose f32"), "{error}");
    assert_eq!(GgufFile::open(&path).unwrap().tensors().count(), types.len());
}

#[test]
fn a_type_costs_the_error_that_the_book_says() {
    // Box and Muller's way to normally distributed numbers, from a sequence that fills (0, 1) evenly.
    const GOLDEN_RATIO: f64 = 0.618_033_988_749_895;
    const ROOT_2: f64 = 0.414_213_562_373_095;
    let normal = |i: usize| {
        let (u, v) = ((i as f64 * GOLDEN_RATIO + 0.3).fract(), (i as f64 * ROOT_2 + 0.7).fract());
        ((-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()) as f32
    };
    let values: Vec<f32> = (1..=65_536).map(normal).collect();
    let matrix = Tensor::from_slice(&values, (256, 256), &Device::Cpu).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.gguf");
    for (kind, expected) in [(BlockType::F16, 0.0002), (BlockType::Q8_0, 0.0054), (BlockType::Q4_0, 0.086)] {
        write_gguf(&path, &[], &[("a".to_string(), matrix.clone(), kind)]).unwrap();
        let found = numbers(&GgufFile::open(&path).unwrap().read("a").unwrap());
        let squares = |pairs: &mut dyn Iterator<Item = f32>| pairs.map(|x| f64::from(x * x)).sum::<f64>();
        let error = squares(&mut values.iter().zip(&found).map(|(x, y)| x - y)) / squares(&mut values.iter().copied());
        assert!((error.sqrt() / expected - 1.0).abs() < 0.05, "{kind:?}: {}", error.sqrt());
    }
}

/// Families that transformers wrote, as `tests/reference/families.py` made them.
const FAMILIES: [&str; 8] = ["gpt2", "llama2", "llama3", "llama-linear", "smollm2", "qwen2", "qwen3", "mistral"];

#[test]
fn every_family_comes_back_from_a_file_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    for name in FAMILIES {
        let model = Transformer::load(&reference("families").join(name), &Device::Cpu).unwrap();
        let path = folder.path().join(format!("{name}.gguf"));
        model.save_gguf(&path, Storage::F32, Vec::new()).unwrap();
        let again = Transformer::load_gguf(&GgufFile::open(&path).unwrap(), &Device::Cpu).unwrap();
        // How it was initialised is not in the file.
        let config = ModelConfig { init_std: 0.02, ..model.config().clone() };
        assert_eq!(again.config(), &config, "{name}");
        for (parameter, tensor) in model.parameters().tensors() {
            let found = again.parameters().get(&parameter).unwrap().as_tensor();
            assert_eq!(numbers(found), numbers(&tensor), "{name}: {parameter}");
        }
    }
}

#[test]
fn quantised_models_stay_near_and_say_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let model = Transformer::load(&reference("families/qwen2"), &Device::Cpu).unwrap();
    let tokens = Tensor::new(&[[1_u32, 5, 9, 40, 2]], &Device::Cpu).unwrap();
    let logits = model.logits(&tokens).unwrap();
    let mut errors = Vec::new();
    for (storage, number) in [(Storage::F16, 1), (Storage::Q8_0, 7), (Storage::Q4_0, 2)] {
        let path = folder.path().join("a.gguf");
        model.save_gguf(&path, storage, Vec::new()).unwrap();
        let file = GgufFile::open(&path).unwrap();
        assert_eq!(file.metadata()["general.file_type"], Value::Integer(number));
        let kinds: Vec<_> = file.tensors().filter(|(name, ..)| name.ends_with("attn_q.weight")).map(|t| t.1).collect();
        assert!(kinds.iter().all(|kind| kind.name() == format!("{storage:?}")), "{kinds:?}");
        let again = Transformer::load_gguf(&file, &Device::Cpu).unwrap();
        errors.push(difference(&again.logits(&tokens).unwrap(), &logits).unwrap().max_abs);
    }
    assert!(errors[0] < errors[1] && errors[1] < errors[2] && errors[2] < 1.0, "{errors:?}");
}

#[test]
fn rows_of_queries_and_keys_are_in_pairs_for_llama_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.gguf");
    for (name, in_pairs) in [("llama2", true), ("mistral", true), ("qwen2", false), ("qwen3", false)] {
        let model = Transformer::load(&reference("families").join(name), &Device::Cpu).unwrap();
        model.save_gguf(&path, Storage::F32, Vec::new()).unwrap();
        let file = GgufFile::open(&path).unwrap();
        let (config, head_dim) = (model.config(), model.config().head_dim());
        for (ours, theirs, n_heads) in
            [("q", "attn_q", config.n_heads), ("k", "attn_k", config.n_kv_heads), ("v", "attn_v", config.n_kv_heads)]
        {
            let ours: Vec<Vec<f32>> =
                model.parameters().get(&format!("layers.1.attention.{ours}")).unwrap().to_vec2().unwrap();
            let found: Vec<Vec<f32>> = file.read(&format!("blk.1.{theirs}.weight")).unwrap().to_vec2().unwrap();
            assert_eq!(ours.len(), n_heads * head_dim);
            for (row, ours) in ours.iter().enumerate() {
                let (head, i) = (row / head_dim, row % head_dim);
                let place = if i < head_dim / 2 { 2 * i } else { 2 * (i - head_dim / 2) + 1 };
                let moved = if in_pairs && theirs != "attn_v" { head * head_dim + place } else { row };
                assert_eq!(&found[moved], ours, "{name}: {theirs} row {row}");
            }
        }
    }
}

/// A file of a small model, its pairs and tensors changed.
fn changed(
    name: &str,
    change: impl FnOnce(&mut Vec<(String, Value)>, &mut Vec<(String, Tensor, BlockType)>),
) -> Result<Transformer, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.gguf");
    let model = Transformer::load(&reference("families").join(name), &Device::Cpu).unwrap();
    model.save_gguf(&path, Storage::F32, Vec::new()).unwrap();
    let file = GgufFile::open(&path).unwrap();
    let mut pairs: Vec<_> = file.metadata().clone().into_iter().collect();
    let mut tensors: Vec<_> =
        file.tensors().map(|(name, kind, _)| (name.to_string(), file.read(name).unwrap(), kind)).collect();
    change(&mut pairs, &mut tensors);
    write_gguf(&path, &pairs, &tensors).unwrap();
    Transformer::load_gguf(&GgufFile::open(&path).unwrap(), &Device::Cpu).map_err(|error| error.to_string())
}

#[test]
fn what_we_do_not_have_is_named() {
    type Pairs = Vec<(String, Value)>;
    let set = |key: &str, value: Value| {
        let key = key.to_string();
        move |pairs: &mut Pairs| {
            pairs.retain(|(other, _)| *other != key);
            pairs.push((key, value));
        }
    };
    let said = |change: &dyn Fn(&mut Pairs)| changed("llama2", |pairs, _| change(pairs)).unwrap_err();
    let text = |text: &str| Value::Text(text.to_string());
    let cases = [
        ("general.architecture", text("mamba"), "general.architecture \"mamba\" is not supported; known are gpt2"),
        ("llama.expert_count", Value::Integer(8), "llama.expert_count Integer(8) is not supported"),
        ("llama.rope.scaling.type", text("yarn"), "rope.scaling.type Text(\"yarn\") is not supported"),
        ("llama.rope.dimension_count", Value::Integer(8), "rope.dimension_count 8 is not supported; heads have 16"),
        ("llama.block_count", Value::Integer(3), "blk.2.attn_k.weight is missing"),
        ("llama.block_count", Value::Integer(1), "blk.1.attn_k.weight is not a parameter of the model"),
        ("llama.block_count", Value::Integer(-1), "block_count Integer(-1) is not supported"),
        ("llama.attention.head_count", Value::Integers(vec![4, 4]), "must be one count for all layers"),
        (
            "llama.feed_forward_length",
            Value::Integer(90),
            "ffn_down.weight has shape [64, 88], the model wants [64, 90]",
        ),
    ];
    for (key, value, expected) in cases {
        let set = set(key, value);
        let set = std::cell::RefCell::new(Some(set));
        let message = said(&|pairs| (set.borrow_mut().take().unwrap())(pairs));
        assert!(message.contains(expected), "{message}");
    }
    let missing = said(&|pairs| pairs.retain(|(key, _)| key != "llama.context_length"));
    assert!(missing.contains("llama.context_length is missing"), "{missing}");
    // What is off is no other model.
    assert!(changed("llama2", |pairs, _| pairs.push(("llama.expert_count".to_string(), Value::Integer(0)))).is_ok());
}

#[test]
fn llama_3s_scaling_comes_back_from_its_divisors_or_is_refused() {
    let rope = |change: &dyn Fn(Vec<f32>) -> Vec<f32>| {
        changed("llama3", |_, tensors| {
            let (_, tensor, _) = tensors.iter_mut().find(|(name, ..)| name == "rope_freqs.weight").unwrap();
            let divisors = change(numbers(tensor));
            let n = divisors.len();
            *tensor = Tensor::from_vec(divisors, n, &Device::Cpu).unwrap();
        })
    };
    let model = rope(&|divisors| divisors).unwrap();
    let Positions::Rotary(RopeScaling::Llama3 { factor, original_max_seq_len, .. }) =
        model.config().architecture.positions
    else {
        panic!("no scaling")
    };
    assert_eq!((factor, original_max_seq_len), (4.0, 16));
    let other = rope(&|divisors| divisors.into_iter().map(|divisor| divisor * 2.0).collect()).unwrap_err();
    assert!(other.contains("other rules are not supported"), "{other}");
    let short = rope(&|divisors| divisors[1..].to_vec()).unwrap_err();
    assert!(short.contains("rope_freqs.weight has 7 numbers; heads of 16 have 8 pairs"), "{short}");
}

/// Opens these bytes, and reads all tensors.
fn open(bytes: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.gguf");
    fs::write(&path, bytes).unwrap();
    let file = GgufFile::open(&path).map_err(|error| error.to_string())?;
    for (name, ..) in file.tensors() {
        // A number that is not finite is refused, and that is all that can be wrong now.
        if let Err(error) = file.read(name) {
            assert!(error.to_string().contains("not finite"), "{error}");
        }
    }
    // Whatever it holds, looking for a model in it does not panic.
    Transformer::load_gguf(&file, &Device::Cpu).map(|_| ()).map_err(|error| error.to_string())
}

#[test]
fn places_that_cannot_be_are_refused() {
    let info = |name: &str, dims: &[u64], kind: u32, offset: u64| TensorInfo {
        name: name.to_string(),
        dims: dims.to_vec(),
        kind,
        offset,
    };
    let (f32, q8_0, huge) = (0, 8, 1_u64 << 62);
    let cases: [(&[TensorInfo], &str); 9] = [
        (&[info("a", &[8], f32, 31)], "a: its offset 31 is no multiple of 32"),
        (&[info("a", &[200], f32, 0)], "a: its dimensions [200] at offset 0 leave the file"),
        (&[info("a", &[8], f32, u64::MAX - 31)], "leave the file"),
        (&[info("a", &[huge, huge], f32, 0)], "leave the file"),
        (&[info("a", &[huge, 4], f32, 0)], "leave the file"),
        (&[info("a", &[0, 4], f32, 0)], "dimensions [0, 4] do not suit F32"),
        (&[info("a", &[33], q8_0, 0)], "do not suit Q8_0, whose rows are multiples of 32"),
        (&[info("a", &[8], 10, 0)], "a: its type 10 is not supported; known are F32, F16"),
        (&[info("a", &[16], f32, 0), info("b", &[8], f32, 32)], "a and b overlap"),
    ];
    for (tensors, expected) in cases {
        let mut bytes = Header::to_bytes(&[], tensors).unwrap();
        bytes.resize(bytes.len().next_multiple_of(32) + 128, 0);
        let message = open(&bytes).unwrap_err();
        assert!(message.contains(expected) && message.contains("bad.gguf"), "{message}");
    }
    for alignment in [Value::Integer(0), Value::Integer(12), Value::Text("32".to_string())] {
        let pairs = [("general.alignment".to_string(), alignment)];
        let message = open(&Header::to_bytes(&pairs, &[]).unwrap()).unwrap_err();
        assert!(message.contains("must be a multiple of 8"), "{message}");
    }
    // Counts that nothing could hold end with the file, before anything is allocated for them.
    let counts = [b"GGUF", &3_u32.to_le_bytes()[..], &u64::MAX.to_le_bytes(), &0_u64.to_le_bytes()].concat();
    assert!(open(&counts).unwrap_err().contains("cannot be read to the end"));
    let cut = fs::read(reference("gguf/blocks.gguf")).unwrap();
    assert!(open(&cut[..cut.len() - 64]).unwrap_err().contains("leave the file"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_damage_panics(
        changes in prop::collection::vec((0..1200_usize, any::<u8>()), 1..8),
        cut in 0..12_000_usize,
        random in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut bytes = fs::read(reference("gguf/blocks.gguf")).unwrap();
        for (place, byte) in changes {
            bytes[place] = byte;
        }
        bytes.truncate(cut);
        let _ = open(&bytes);
        let _ = open(&random);
        let _ = open(&[b"GGUF\x03\0\0\0", &random[..]].concat());
    }
}

/// Named by `SMOLLM2_GGUF`, a real file must give the logits that `tests/reference/gguf_smollm2.py` found with transformers.
#[test]
fn smollm2_says_what_it_says_in_transformers_when_the_file_is_there() {
    let Some(path) = std::env::var_os("SMOLLM2_GGUF") else {
        println!("skipped: set SMOLLM2_GGUF to the file that tests/reference/fetch_smollm2.sh fetches");
        return;
    };
    let model = Transformer::load_gguf(&GgufFile::open(Path::new(&path)).unwrap(), &Device::Cpu).unwrap();
    let golden: serde_json::Value = serde_json::from_slice(&fs::read(reference("gguf/smollm2.json")).unwrap()).unwrap();
    for row in golden["rows"].as_array().unwrap() {
        let ids: Vec<u32> = serde_json::from_value(row["ids"].clone()).unwrap();
        let logits = model.logits(&Tensor::from_slice(&ids, (1, ids.len()), &Device::Cpu).unwrap()).unwrap();
        let last = logits.squeeze(0).unwrap().get(ids.len() - 1).unwrap().to_vec1::<f32>().unwrap();
        let mut order: Vec<usize> = (0..last.len()).collect();
        order.sort_by(|a, b| last[*b].total_cmp(&last[*a]));
        for (found, top) in order.iter().zip(row["top"].as_array().unwrap()) {
            let (id, logit) = (top[0].as_u64().unwrap() as usize, top[1].as_f64().unwrap());
            assert_eq!(*found, id, "{ids:?}");
            assert!(
                (f64::from(last[id]) - logit).abs() < 1e-3,
                "{ids:?}: token {id} has {}, transformers {logit}",
                last[id]
            );
        }
    }
}
