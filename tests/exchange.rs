//! `llm import` and `llm export`: what goes out comes in again, and wrong requests are said to be wrong.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use candle_core::{Device, Tensor};
use serde_json::{Value, json};
use tokenizer::{Tokenizer, TrainConfig};
use transformer::{ModelConfig, Transformer};

fn llm(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_llm")).args(arguments).output().unwrap()
}

fn done(arguments: &[&str]) -> String {
    let output = llm(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let output = llm(arguments);
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// A small chat model with more ids than tokens.
fn model(folder: &Path) {
    let tokenizer = Tokenizer::train(&["a few words, and a few more"], &TrainConfig::with_vocab_size(270)).unwrap();
    let sizes: ModelConfig = serde_json::from_value(json!({
        "vocab_size": 288, "d_model": 32, "n_layers": 2, "n_heads": 4, "n_kv_heads": 2, "d_ff": 64, "max_seq_len": 32,
    }))
    .unwrap();
    Transformer::new(sizes, 3, &Device::Cpu).unwrap().save(folder, Some(0), Some(3)).unwrap();
    tokenizer.save(folder.join("tokenizer.json")).unwrap();
    let config = json!({
        "bos_token": {"content": "<|endoftext|>"}, "eos_token": "<|end|>", "chat_template": "{{ messages[0]['content'] }}"
    });
    fs::write(folder.join("tokenizer_config.json"), config.to_string()).unwrap();
}

fn read(folder: &Path, file: &str) -> Value {
    serde_json::from_slice(&fs::read(folder.join(file)).unwrap()).unwrap()
}

#[test]
fn a_model_that_goes_out_comes_in_again() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (source, gguf, back, again) = (at("source"), at("a.gguf"), at("back"), at("again"));
    model(Path::new(&source));
    done(&["export", "--model", &source, "--gguf", &gguf, "--type", "f32"]);
    let said = done(&["import", &gguf, "--out", &back]);
    assert!(said.contains("a chat model of"), "{said}");
    done(&["export", "--model", &back, "--hf", &again]);
    let (source, again) = (Path::new(&source), Path::new(&again));
    assert_eq!(fs::read(source.join("model.safetensors")).unwrap(), fs::read(again.join("model.safetensors")).unwrap());
    assert_eq!(read(source, "config.json"), read(again, "config.json"));
    let tokenizers = [source, again].map(|folder| Tokenizer::load(folder.join("tokenizer.json")).unwrap());
    assert_eq!(tokenizers[0].merges(), tokenizers[1].merges());
    assert_eq!(tokenizers[0].special_tokens(), tokenizers[1].special_tokens());
    let config = read(again, "tokenizer_config.json");
    assert_eq!(config["chat_template"], "{{ messages[0]['content'] }}");
    assert_eq!((&config["bos_token"], &config["eos_token"]), (&json!("<|endoftext|>"), &json!("<|end|>")));
    let generation = read(again, "generation_config.json");
    let id = |token: &str| json!(tokenizers[0].id_of(token));
    assert_eq!(generation["bos_token_id"], id("<|endoftext|>"));
    assert_eq!(generation["eos_token_id"], id("<|end|>"));
}

#[test]
fn a_folder_that_is_written_again_keeps_nothing_of_the_model_before() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (chat, bare, out) = (at("chat"), at("bare"), folder.path().join("out"));
    model(Path::new(&chat));
    Transformer::load(Path::new(&chat), &Device::Cpu).unwrap().save(Path::new(&bare), None, None).unwrap();
    done(&["import", &chat, "--out", &at("out")]);
    fs::write(out.join("chat_template.jinja"), "{{ 'old' }}").unwrap();
    // A process that was killed has left these.
    fs::write(out.join("model.safetensors.tmp-123"), "half").unwrap();
    fs::write(out.join(".tmpAbc123"), "half").unwrap();
    fs::write(out.join("notes.tmp-old"), "mine").unwrap();
    // A request that is refused touches nothing.
    let (code, _) = refused(&["import", &bare, "--out", &at("out")]);
    assert!(code == Some(2) && out.join(".tmpAbc123").exists() && out.join("model.safetensors.tmp-123").exists());
    let said = done(&["import", &bare, "--out", &at("out"), "--force"]);
    assert!(said.contains("a base model of"), "{said}");
    let mut left: Vec<String> =
        out.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["config.json", "generation_config.json", "model.safetensors", "notes.tmp-old"]);
    let (code, said) = refused(&["generate", "--model", &at("out"), "--prompt", "a"]);
    assert!(code == Some(2) && said.contains("has no tokenizer.json; copy there"), "{said}");
    let (code, said) = refused(&["export", "--model", &at("out"), "--gguf", &at("b.gguf")]);
    assert!(code == Some(2) && said.contains("--hf"), "{said}");
}

#[test]
fn a_number_that_f16_does_not_have_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let source = at("source");
    model(Path::new(&source));
    let large = Transformer::load(Path::new(&source), &Device::Cpu).unwrap();
    let gains = large.parameters().get("final_norm").unwrap();
    gains.set(&Tensor::full(1e6_f32, 32, &Device::Cpu).unwrap()).unwrap();
    large.save(Path::new(&source), None, None).unwrap();
    let (code, said) = refused(&["export", "--model", &source, "--hf", &at("half"), "--hf-type", "f16"]);
    assert!(
        code == Some(1) && said.contains("model.norm.weight: 1000000 cannot be stored as f16; choose bf16"),
        "{said}"
    );
    assert!(!folder.path().join("half").exists());
    done(&["export", "--model", &source, "--hf", &at("half"), "--hf-type", "bf16"]);
}

#[test]
fn wrong_requests_name_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (source, gguf) = (at("source"), at("a.gguf"));
    model(Path::new(&source));
    fs::write(&gguf, "mine").unwrap();

    let (code, said) = refused(&["export", "--model", &source, "--gguf", &gguf]);
    assert!(code == Some(2) && said.contains("a.gguf exists") && said.contains("--force"), "{code:?} {said}");
    assert_eq!(fs::read(&gguf).unwrap(), b"mine");
    let (code, said) = refused(&["import", &gguf, "--out", &at("new")]);
    assert!(code == Some(1) && said.contains("does not begin with GGUF") && said.contains("a.gguf"), "{code:?} {said}");
    done(&["export", "--model", &source, "--gguf", &gguf, "--type", "q4_0", "--force"]);

    let (code, said) = refused(&["import", &source, "--out", &gguf, "--force"]);
    assert!(code == Some(2) && said.contains("a.gguf is a file, and a folder is to be written"), "{code:?} {said}");
    let (code, said) = refused(&["export", "--model", &source, "--gguf", &source, "--force"]);
    assert!(code == Some(2) && said.contains("source is a folder, and a file is to be written"), "{code:?} {said}");
    done(&["export", "--model", &source, "--gguf", &at("other/deep/a.gguf"), "--type", "q8_0"]);
    let (code, said) = refused(&["generate", "--model", &gguf, "--prompt", "a"]);
    assert!(code == Some(2) && said.contains("llm import"), "{code:?} {said}");

    let (code, said) = refused(&["import", &gguf, "--out", &source]);
    assert!(code == Some(2) && said.contains("source exists"), "{code:?} {said}");
    let (code, said) = refused(&["export", "--model", &source, "--gguf", &at("b.gguf"), "--type", "q3"]);
    assert!(code == Some(2) && said.contains("f32, f16, q8_0, q4_0"), "{code:?} {said}");
    let (code, said) = refused(&["export", "--model", &source]);
    assert!(code == Some(2) && said.contains("--gguf") && said.contains("--hf"), "{code:?} {said}");
    #[cfg(not(feature = "hub"))]
    {
        let (code, said) = refused(&["import", "owner/name", "--out", &at("new")]);
        assert!(code == Some(2) && said.contains("hf download owner/name --local-dir DIR"), "{code:?} {said}");
        assert!(said.contains("--features hub"), "{said}");
    }
    let (code, said) = refused(&["import", "models/name.gguf", "--out", &at("new")]);
    assert!(code == Some(2) && said.contains("there is no folder or file models/name.gguf"), "{code:?} {said}");
}
