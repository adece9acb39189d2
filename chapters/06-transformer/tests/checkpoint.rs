//! Model folders: what is written is what is read, and what is damaged is refused by name.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use tensors::difference;
use transformer::checkpoint::{
    CONFIG_FILE, INDEX_FILE, Saving, WEIGHTS_FILE, read_safetensors, replace_file, write_safetensors,
};
use transformer::{Architecture, ModelConfig, NormKind, Transformer};

fn config(d_ff: usize, tie_embeddings: bool) -> ModelConfig {
    ModelConfig {
        vocab_size: 31,
        d_model: 16,
        n_layers: 2,
        n_heads: 4,
        n_kv_heads: 2,
        d_ff,
        max_seq_len: 8,
        rope_theta: 5_000.0,
        norm_eps: 1e-6,
        architecture: Architecture::LLAMA,
        tie_embeddings,
        init_std: 0.05,
    }
}

fn saved(folder: &Path, config: ModelConfig) -> Transformer {
    let model = Transformer::new(config, 1, &Device::Cpu).unwrap();
    model.save(folder, Some(0), Some(3)).unwrap();
    model
}

fn load_error(folder: &Path) -> String {
    Transformer::load(folder, &Device::Cpu).unwrap_err().to_string()
}

#[test]
fn a_saved_model_comes_back_bit_for_bit() {
    for tie_embeddings in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let model = saved(folder.path(), config(24, tie_embeddings));
        let loaded = Transformer::load(folder.path(), &Device::Cpu).unwrap();
        assert_eq!(loaded.config(), model.config());
        let tokens = Tensor::new(&[[1u32, 5, 30]], &Device::Cpu).unwrap();
        assert_eq!(difference(&loaded.logits(&tokens).unwrap(), &model.logits(&tokens).unwrap()).unwrap().max_abs, 0.0);
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(left.len(), 2, "no temporary file stays: {left:?}");
    }
}

#[test]
fn the_tokens_that_begin_and_end_a_text_are_written_apart() {
    let folder = tempfile::tempdir().unwrap();
    saved(folder.path(), config(24, true));
    let text = fs::read_to_string(folder.path().join(CONFIG_FILE)).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((json["bos_token_id"].as_u64(), json["eos_token_id"].as_u64()), (Some(0), Some(3)));
}

#[test]
fn names_and_shapes_are_those_of_hugging_face() {
    let folder = tempfile::tempdir().unwrap();
    saved(folder.path(), config(24, false));
    let tensors = read_safetensors(&folder.path().join(WEIGHTS_FILE)).unwrap();
    assert_eq!(tensors.len(), 2 * 9 + 3);
    for (name, shape) in [
        ("model.embed_tokens.weight", vec![31, 16]),
        ("model.layers.1.self_attn.k_proj.weight", vec![8, 16]),
        ("model.layers.0.mlp.down_proj.weight", vec![16, 24]),
        ("model.layers.0.post_attention_layernorm.weight", vec![16]),
        ("model.norm.weight", vec![16]),
        ("lm_head.weight", vec![31, 16]),
    ] {
        assert_eq!(tensors[name].dims(), shape, "{name}");
    }
}

#[test]
fn weights_of_another_configuration_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    saved(folder.path(), config(24, true));
    let other = tempfile::tempdir().unwrap();
    saved(other.path(), config(32, true));
    fs::copy(other.path().join(CONFIG_FILE), folder.path().join(CONFIG_FILE)).unwrap();
    let error = load_error(folder.path());
    assert!(
        error.contains("model.layers.0.mlp.down_proj.weight has shape [16, 24], the model wants [16, 32]"),
        "{error}"
    );
    assert!(error.contains("and 2 more"), "{error}");
}

#[test]
fn every_truncation_of_the_weights_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    saved(folder.path(), config(24, true));
    let path = folder.path().join(WEIGHTS_FILE);
    let whole = fs::read(&path).unwrap();
    for keep in [0, 1, 7, 8, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..keep]).unwrap();
        assert!(load_error(folder.path()).contains(WEIGHTS_FILE), "{keep} bytes");
    }
    let mut header = whole.clone();
    header[12] ^= 0xff;
    fs::write(&path, header).unwrap();
    assert!(load_error(folder.path()).contains(WEIGHTS_FILE));
}

#[test]
fn a_missing_or_foreign_configuration_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(load_error(folder.path()).contains(CONFIG_FILE));
    saved(folder.path(), config(24, true));
    let path = folder.path().join(CONFIG_FILE);
    let text = fs::read_to_string(&path).unwrap();
    for (from, to, message) in [
        (
            "LlamaForCausalLM",
            "BertForMaskedLM",
            "architectures [\"BertForMaskedLM\"] is not supported; known are GPT2LMHeadModel, Llama",
        ),
        ("\"hidden_act\": \"silu\"", "\"hidden_act\": \"gelu\"", "hidden_act"),
        ("\"rope_scaling\": null", "\"rope_scaling\": {\"factor\": 2.0}", "rope_scaling"),
        ("{", "{\"rope_interleaved\": true,", "rope_interleaved true is not supported"),
        ("{", "{\"partial_rotary_factor\": 0.5,", "partial_rotary_factor 0.5 is not supported"),
        (
            "{",
            "{\"rope_parameters\": {\"partial_rotary_factor\": 0.25},",
            "partial_rotary_factor 0.25 is not supported",
        ),
        ("{", "{\"quantization_config\": {\"bits\": 4},", "quantization_config {\"bits\":4} is not supported"),
        (
            "\"num_attention_heads\": 4",
            "\"num_attention_heads\": 5",
            "n_kv_heads 2 does not divide n_heads 5; choose 1 or 5",
        ),
        ("{", "[", "cannot use"),
    ] {
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        assert!(load_error(folder.path()).contains(message), "{from} -> {to}: {}", load_error(folder.path()));
    }
    // What only says the usual is no obstacle.
    let usual =
        "{\"rope_interleaved\": false, \"partial_rotary_factor\": 1.0, \"quantization_config\": null, \"unknown\": 1,";
    fs::write(&path, text.replacen('{', usual, 1)).unwrap();
    Transformer::load(folder.path(), &Device::Cpu).unwrap();
}

#[test]
fn saving_over_a_split_model_leaves_none_of_it() {
    let folder = tempfile::tempdir().unwrap();
    saved(folder.path(), config(24, true));
    let shard = "model-00001-of-00001.safetensors";
    let path = |name: &str| folder.path().join(name);
    fs::rename(path(WEIGHTS_FILE), path(shard)).unwrap();
    fs::write(path(INDEX_FILE), format!("{{\"weight_map\": {{\"model.norm.weight\": \"{shard}\"}}}}")).unwrap();
    let embedding = |model: &Transformer| model.embedding().tensor.clone();
    let split = Transformer::load(folder.path(), &Device::Cpu).unwrap();
    let other = Transformer::new(config(24, true), 2, &Device::Cpu).unwrap();
    assert!(difference(&embedding(&split), &embedding(&other)).unwrap().max_abs > 0.0);
    other.save(folder.path(), Some(0), Some(3)).unwrap();
    let loaded = Transformer::load(folder.path(), &Device::Cpu).unwrap();
    assert_eq!(difference(&embedding(&loaded), &embedding(&other)).unwrap().max_abs, 0.0);
}

#[test]
fn tensors_that_follow_from_others_are_passed_over_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    saved(folder.path(), config(24, true));
    let path = folder.path().join(WEIGHTS_FILE);
    let weights = read_safetensors(&path).unwrap();
    let load_with = |name: &str| {
        let mut weights = weights.clone();
        weights.insert(name.to_string(), Tensor::zeros(2, candle_core::DType::F32, &Device::Cpu).unwrap());
        write_safetensors(&path, &weights).unwrap();
        Transformer::load(folder.path(), &Device::Cpu).map_err(|error| error.to_string())
    };
    load_with("lm_head.weight").unwrap();
    load_with("model.layers.1.self_attn.rotary_emb.inv_freq").unwrap();
    let error = load_with("model.layers.1.self_attn.q_proj.bias").unwrap_err();
    assert!(error.contains("model.layers.1.self_attn.q_proj.bias is not a parameter of the model"), "{error}");
}

#[test]
fn an_unwritable_folder_is_an_error_and_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let model = saved(folder.path(), config(24, true));
    let before = fs::read(folder.path().join(WEIGHTS_FILE)).unwrap();
    // A directory in the temporary file's place makes the write fail for every user, root too.
    fs::create_dir(folder.path().join(format!("{WEIGHTS_FILE}.tmp-{}", std::process::id()))).unwrap();
    let error = model.save(folder.path(), None, None).unwrap_err().to_string();
    assert!(error.contains("cannot write") && error.contains(WEIGHTS_FILE), "{error}");
    assert_eq!(fs::read(folder.path().join(WEIGHTS_FILE)).unwrap(), before);
}

#[test]
fn temporary_files_carry_the_number_of_their_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.json");
    let mut written = None;
    replace_file(&path, |temporary| {
        written = temporary.file_name().map(|name| name.to_os_string());
        fs::write(temporary, "{}").map_err(candle_core::Error::wrap)
    })
    .unwrap();
    assert_eq!(written.unwrap(), format!("x.json.tmp-{}", std::process::id()).as_str());
    assert_eq!(fs::read_to_string(&path).unwrap(), "{}");
}

/// Rewrites the weights of a saved model: each name and tensor through `change`, which may drop it.
fn rewritten(folder: &Path, change: impl Fn(String, Tensor) -> Option<(String, Tensor)>) {
    let path = folder.join(WEIGHTS_FILE);
    let weights =
        read_safetensors(&path).unwrap().into_iter().filter_map(|(name, tensor)| change(name, tensor)).collect();
    write_safetensors(&path, &weights).unwrap();
}

#[test]
fn a_missing_weight_is_named_with_the_one_that_stands_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    saved(folder.path(), config(24, true));
    rewritten(folder.path(), |name, tensor| {
        Some((name.replace("layers.1.self_attn.q_proj", "layers.1.attn.q_proj"), tensor))
    });
    let error = load_error(folder.path());
    let (missing, found) = ("model.layers.1.self_attn.q_proj.weight", "model.layers.1.attn.q_proj.weight");
    assert!(error.contains(&format!("{missing} is missing (the file has {found})")), "{error}");
    assert!(error.contains(&format!("{found} is not a parameter of the model")), "{error}");
}

#[test]
fn numbers_that_are_not_finite_are_refused_by_name_and_count() {
    let folder = tempfile::tempdir().unwrap();
    saved(folder.path(), config(24, true));
    rewritten(folder.path(), |name, tensor| {
        let is_it = name == "model.layers.0.mlp.up_proj.weight";
        let tensor = if is_it { (tensor / 0.0).unwrap() } else { tensor };
        Some((name, tensor))
    });
    let error = load_error(folder.path());
    assert!(
        error.contains("model.layers.0.mlp.up_proj.weight in") && error.contains("384 of 384 numbers are not finite"),
        "{error}"
    );
}

#[test]
fn numbers_of_other_types_become_f32() {
    for dtype in [DType::BF16, DType::F16, DType::F64] {
        let folder = tempfile::tempdir().unwrap();
        let model = saved(folder.path(), config(24, false));
        rewritten(folder.path(), |name, tensor| Some((name, tensor.to_dtype(dtype).unwrap())));
        let loaded = Transformer::load(folder.path(), &Device::Cpu).unwrap();
        for (name, var) in loaded.parameters().iter() {
            let original = model.parameters().get(name).unwrap().as_detached_tensor();
            let rounded = original.to_dtype(dtype).unwrap().to_dtype(DType::F32).unwrap();
            assert_eq!(difference(var.as_tensor(), &rounded).unwrap().max_abs, 0.0, "{name} in {dtype:?}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    saved(folder.path(), config(24, true));
    rewritten(folder.path(), |name, tensor| Some((name, tensor.to_dtype(DType::I64).unwrap())));
    assert!(
        load_error(folder.path()).contains("is I64; weights must be F32, BF16, F16 or F64"),
        "{}",
        load_error(folder.path())
    );
}

#[test]
fn a_model_that_was_saved_without_its_head_lacks_the_first_part_of_every_name() {
    let folder = tempfile::tempdir().unwrap();
    let model = saved(folder.path(), config(24, true));
    rewritten(folder.path(), |name, tensor| Some((name.strip_prefix("model.").unwrap().to_string(), tensor)));
    let loaded = Transformer::load(folder.path(), &Device::Cpu).unwrap();
    assert_eq!(difference(&loaded.embedding().tensor, &model.embedding().tensor).unwrap().max_abs, 0.0);
}

#[test]
fn a_large_model_is_split_and_nothing_of_an_earlier_one_stays() {
    let folder = tempfile::tempdir().unwrap();
    let names = || -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let model = saved(folder.path(), config(24, false));
    let save = |max_file_bytes: usize| {
        let saving = Saving { bos_token_id: None, eos_token_id: None, dtype: DType::F32, max_file_bytes };
        model.save_as(folder.path(), saving).unwrap();
        let loaded = Transformer::load(folder.path(), &Device::Cpu).unwrap();
        for (name, var) in loaded.parameters().iter() {
            let original = model.parameters().get(name).unwrap().as_detached_tensor();
            assert_eq!(difference(var.as_tensor(), &original).unwrap().max_abs, 0.0, "{name}");
        }
    };
    save(8_000);
    let parts: Vec<_> = names().into_iter().filter(|name| name.starts_with("model-")).collect();
    assert!(parts.len() > 2 && parts[0] == format!("model-00001-of-{:05}.safetensors", parts.len()), "{parts:?}");
    assert!(!names().contains(&WEIGHTS_FILE.to_string()));
    for part in &parts {
        let tensors = read_safetensors(&folder.path().join(part)).unwrap();
        let n_bytes: usize = tensors.values().map(|tensor| 4 * tensor.elem_count()).sum();
        assert!(n_bytes <= 8_000, "{part}: {n_bytes} bytes");
    }
    let index: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join(INDEX_FILE)).unwrap()).unwrap();
    assert_eq!(index["metadata"]["total_size"], 4 * model.parameters().n_scalars());
    assert_eq!(index["weight_map"].as_object().unwrap().len(), model.parameters().len());
    // In other parts, then whole again.
    save(5_000);
    assert!(names().iter().filter(|name| name.starts_with("model-")).count() > parts.len());
    assert!(names().iter().all(|name| !parts.contains(name)));
    save(usize::MAX);
    assert_eq!(names(), [CONFIG_FILE, WEIGHTS_FILE]);
}

#[test]
fn an_index_that_lists_a_file_that_is_not_there_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    saved(folder.path(), config(24, true));
    let index = |file: &str| {
        fs::write(folder.path().join(INDEX_FILE), format!("{{\"weight_map\": {{\"x\": \"{file}\"}}}}")).unwrap()
    };
    index("model-00002-of-00003.safetensors");
    assert!(load_error(folder.path()).contains("model-00002-of-00003.safetensors"), "{}", load_error(folder.path()));
    for outside in ["../model.safetensors", "/etc/passwd", "a/b", ".."] {
        index(outside);
        assert!(load_error(folder.path()).contains("refuses to leave the folder"), "{}", load_error(folder.path()));
    }
}

#[test]
fn parts_that_no_family_has_together_are_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let architecture = Architecture { norm: NormKind::LayerNorm, ..Architecture::LLAMA };
    let model = Transformer::new(ModelConfig { architecture, ..config(24, true) }, 1, &Device::Cpu).unwrap();
    let error = model.save(folder.path(), None, None).unwrap_err().to_string();
    assert!(
        error.contains("no family of Hugging Face's has these parts together") && error.contains("layer_norm"),
        "{error}"
    );
}

/// A folder of transformers' with one text of its `config.json` replaced.
fn load_with(from: &str, to: &str) -> candle_core::Result<Transformer> {
    let theirs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/reference/families/llama2");
    let folder = tempfile::tempdir().unwrap();
    fs::copy(theirs.join(WEIGHTS_FILE), folder.path().join(WEIGHTS_FILE)).unwrap();
    let config = fs::read_to_string(theirs.join(CONFIG_FILE)).unwrap();
    assert!(config.contains(from), "{from}");
    fs::write(folder.path().join(CONFIG_FILE), config.replace(from, to)).unwrap();
    Transformer::load(folder.path(), &Device::Cpu)
}

#[test]
fn rotary_settings_of_both_generations_of_the_format_are_read() {
    // Version 4 of transformers wrote `rope_theta` at the top, version 5 writes `rope_parameters`.
    let old = load_with("\"rope_parameters\": {", "\"rope_theta\": 777.0, \"something_else\": {").unwrap();
    assert_eq!(old.config().rope_theta, 777.0);
    assert_eq!(load_with("10000.0", "777.0").unwrap().config().rope_theta, 777.0);
    let error = load_with("\"rope_type\": \"default\"", "\"rope_type\": \"yarn\"").unwrap_err().to_string();
    assert!(error.contains("rope_type \"yarn\" is not supported"), "{error}");
}
