//! The GPU presets fit what they are named for, and the book prints what `llm plan` says of them. `UPDATE_PLANS=1 cargo test --test plan`
//! writes the output anew.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

use llm_from_scratch::preset::{RunConfig, preset_names};
use pretraining::gpu::GPUS;
use pretraining::{Plan, chinchilla_tokens};

/// Name, and gigabytes of the GPU that it is for.
const TIERS: [(&str, f64); 3] = [("gpu-8gb", 8.0), ("gpu-24gb", 24.0), ("gpu-80gb", 80.0)];

fn llm(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_llm")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_book_prints_what_the_program_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/plans.txt");
    let said: Vec<String> = TIERS
        .iter()
        .map(|(name, _)| format!("$ llm plan --preset {name}\n{}", llm(&["plan", "--preset", name])))
        .collect();
    let said = said.join("\n");
    if std::env::var_os("UPDATE_PLANS").is_some() {
        std::fs::write(&file, &said).unwrap();
    }
    let stored = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(stored == said, "{} differs from what the program says; see this file's first lines", file.display());
}

#[test]
fn a_tier_fits_its_gpu_and_reads_twenty_tokens_a_parameter() {
    assert_eq!(preset_names().iter().filter(|name| name.starts_with("gpu-")).count(), TIERS.len());
    for (name, memory_gb) in TIERS {
        let config = RunConfig::preset(name).unwrap();
        let plan: serde_json::Value = serde_json::from_str(&llm(&["plan", "--preset", name, "--json"])).unwrap();
        let number = |key: &str| plan[key].as_f64().unwrap();
        for gpu in plan["gpus"].as_array().unwrap() {
            let has_enough = gpu["memory_gb"].as_f64().unwrap() >= memory_gb;
            assert!(gpu["hours"].is_number() || !has_enough, "{name}: {gpu}");
        }
        assert!(number("total_memory_gb") > 0.4 * memory_gb, "{name} leaves most of the memory alone");
        assert!((number("n_tokens") / chinchilla_tokens(&config.model) - 1.0).abs() < 0.01, "{name}");
        assert!([64, 128].contains(&config.model.head_dim()) && config.model.tie_embeddings, "{name}");
        assert!([1024, 2048].contains(&config.pretrain.seq_len), "{name}");
    }
}

#[test]
fn hours_and_memory_are_what_their_formulas_say() {
    let config = RunConfig::preset("gpu-24gb").unwrap();
    let on = |mfu: f64, graph| -> Plan { pretraining::plan(&config.model, &config.pretrain, graph, &GPUS, mfu) };
    use kernels::activation_memory::Graph::{Branches, Recompute};
    let (plan, slower) = (on(0.4, Branches), on(0.2, Branches));
    let flops_per_token = transformer::flops_per_token(&config.model, config.pretrain.seq_len);
    for (gpu, half) in plan.gpus.iter().zip(&slower.gpus) {
        let Some(hours) = gpu.hours else { continue };
        let tokens_per_s = 0.4 * gpu.peak_tflops * 1e12 / flops_per_token;
        assert!((hours * 3600.0 * tokens_per_s / plan.n_tokens as f64 - 1.0).abs() < 1e-9, "{}", gpu.name);
        assert!((half.hours.unwrap() / hours - 2.0).abs() < 1e-9);
    }
    // f32 weights, gradients and two moments, and a bf16 copy: 18 bytes a parameter.
    let states: f64 = plan.memory_gb.iter().take(3).map(|(_, gb)| gb).sum();
    // 16 of weights, gradients and moments in f32, and 2 of a copy in bf16, which gains do not have.
    let bytes_per_parameter = states * 1e9 / plan.n_parameters as f64;
    assert!((17.99..18.0).contains(&bytes_per_parameter), "{bytes_per_parameter}");
    assert!(on(0.4, Recompute).total_memory_gb < plan.total_memory_gb);
    let sum: f64 = plan.memory_gb.iter().map(|(_, gb)| gb).sum();
    assert!((sum - plan.total_memory_gb).abs() < 1e-9);
}
