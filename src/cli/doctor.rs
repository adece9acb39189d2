//! `llm doctor`: what this machine can do.

use std::io::Write;

use anyhow::Result;
use clap::Args;
use corpus::rustdoc::RustDocs;

use crate::device::DeviceKind;

#[derive(Debug, Args)]
#[command(after_help = "Example: llm doctor")]
pub(crate) struct DoctorArgs {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &DoctorArgs, out: &mut dyn Write) -> Result<()> {
    let findings = [
        ("cores", std::thread::available_parallelism().map_or("unknown".to_string(), |n| n.to_string())),
        ("vector instructions", vector_instructions()),
        ("cuda", device(DeviceKind::Cuda)),
        ("metal", device(DeviceKind::Metal)),
        ("rust-docs", rust_docs()),
        ("runs folder", runs_folder()),
    ];
    if args.json {
        let map: serde_json::Map<String, serde_json::Value> =
            findings.into_iter().map(|(name, value)| (name.to_string(), value.into())).collect();
        writeln!(out, "{}", serde_json::Value::Object(map))?;
        return Ok(());
    }
    for (name, value) in findings {
        writeln!(out, "{name:<20} {value}")?;
    }
    Ok(())
}

fn vector_instructions() -> String {
    #[cfg(target_arch = "x86_64")]
    let found: Vec<&str> = [
        ("AVX2", is_x86_feature_detected!("avx2")),
        ("FMA", is_x86_feature_detected!("fma")),
        ("AVX-512", is_x86_feature_detected!("avx512f")),
        ("AVX-512 BF16", is_x86_feature_detected!("avx512bf16")),
    ]
    .into_iter()
    .filter_map(|(name, is_there)| is_there.then_some(name))
    .collect();
    #[cfg(target_arch = "aarch64")]
    let found = vec!["NEON"];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let found: Vec<&str> = Vec::new();
    if found.is_empty() { "none that we use".to_string() } else { found.join(", ") }
}

fn device(kind: DeviceKind) -> String {
    match kind.open() {
        Ok(_) => "ready".to_string(),
        Err(error) => format!("no: {error:#}"),
    }
}

fn rust_docs() -> String {
    match RustDocs::locate() {
        Ok(path) => path.display().to_string(),
        Err(error) => format!("no: {error}"),
    }
}

fn runs_folder() -> String {
    let folder = std::path::Path::new("runs");
    let probe = folder.join(".doctor");
    let outcome = std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&probe, b""))
        .and_then(|()| std::fs::remove_file(&probe));
    match outcome {
        Ok(()) => "runs/ can be written".to_string(),
        Err(error) => format!("runs/ cannot be written: {error}"),
    }
}
