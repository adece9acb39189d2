//! `llm import`: a model folder out of another folder, a GGUF file, or a model of the Hugging Face hub.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use candle_core::DType;
use clap::{Args, ValueEnum};
#[cfg(feature = "hub")]
use corpus::hub::{Hub, HubError, ModelName};
use llm_from_scratch::request::WrongRequest;
use llm_from_scratch::stages::exchange::Package;
use transformer::n_parameters;

use super::files::create_parent;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  llm import SmolLM2-135M-Instruct.Q4_1.gguf --out models/smollm2\n  llm import HuggingFaceTB/SmolLM2-135M-Instruct --out models/smollm2   (built with --features hub)\n  llm import hf:OWNER/NAME/FILE.gguf@REVISION --out models/other        (the same)\nThen: llm chat --model models/smollm2"
)]
pub(crate) struct ImportArgs {
    /// A model folder of Hugging Face's, a GGUF file, or a model of the hub: OWNER/NAME, hf:OWNER/NAME/FILE.gguf, with @REVISION
    #[arg(value_name = "SOURCE")]
    source: PathBuf,
    /// The folder to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How numbers are stored
    #[arg(long = "type", value_enum, default_value = "f32")]
    number: NumberType,
    /// Write into a folder that is there already
    #[arg(long)]
    force: bool,
}

/// A type of the numbers in a folder.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum NumberType {
    /// 4 bytes
    F32,
    /// 2 bytes, with f32's range
    Bf16,
    /// 2 bytes, finer, up to 65,504
    F16,
}

impl NumberType {
    pub(super) fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::Bf16 => DType::BF16,
            Self::F16 => DType::F16,
        }
    }
}

pub(crate) fn run(args: &ImportArgs, out: &mut dyn Write) -> Result<()> {
    make_room(&args.out, Target::Folder, args.force)?;
    let package = Package::open(&on_disk(&args.source)?)?;
    package.save_folder(&args.out, args.number.dtype())?;
    let (n, chat) =
        (n_parameters(package.model.config()), if package.chat_template.is_some() { "chat" } else { "base" });
    writeln!(out, "{}: a {chat} model of {:.1} M parameters", args.out.display(), n as f64 / 1e6)?;
    Ok(())
}

/// What a name on the hub may begin with, and must where it has three parts.
const HUB: &str = "hf:";

/// The source as a path; a model of the hub is fetched first, unless there is a folder of its name.
///
/// # Errors
/// If it is a model that this build cannot fetch, that does not exist, or that cannot be fetched.
fn on_disk(source: &Path) -> Result<PathBuf> {
    let is_file_name = || {
        source.extension().is_some_and(|ending| ["gguf", "json", "safetensors"].contains(&&*ending.to_string_lossy()))
    };
    let is_pair = || source.is_relative() && source.components().count() == 2 && !is_file_name();
    match source.to_str() {
        Some(name) if !source.exists() && (name.starts_with(HUB) || is_pair()) => fetch(name),
        _ => Ok(source.to_owned()),
    }
}

#[cfg(feature = "hub")]
fn fetch(name: &str) -> Result<PathBuf> {
    let wrong = |error: HubError| match error {
        HubError::ModelName { .. } | HubError::NoWeights { .. } => WrongRequest::new(error.to_string()).into(),
        other => anyhow::Error::from(other),
    };
    let model = Hub::from_env().model(&name.parse::<ModelName>().map_err(wrong)?).map_err(wrong);
    let model = match name.strip_prefix(HUB) {
        Some(_) => model?,
        None => {
            model.with_context(|| format!("there is no folder {name} here, and the hub gave no model of that name"))?
        }
    };
    eprintln!("{model}");
    let bar = llm_from_scratch::progress::bar("download", model.n_bytes());
    let path = model.fetch(&|file, n_bytes| {
        bar.set_message(file.to_owned());
        bar.set_position(n_bytes);
    })?;
    bar.finish_and_clear();
    Ok(path)
}

#[cfg(not(feature = "hub"))]
fn fetch(name: &str) -> Result<PathBuf> {
    let repository = name.trim_start_matches(HUB);
    Err(WrongRequest::new(format!(
        "there is no folder or file {name}; if it is a model of the Hugging Face hub, build this program with `cargo build --release --features hub`, or download it first: hf download {repository} --local-dir DIR, then llm import DIR"
    ))
    .into())
}

/// What is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    File,
    Folder,
}

/// Makes room for what is to be written: the folders above it, and no leftovers of a process that was killed in its folder.
///
/// # Errors
/// If there is something in its place that may not be replaced, which then stays as it was, or the folder above it cannot be made.
pub(super) fn make_room(path: &Path, target: Target, force: bool) -> Result<()> {
    let name = path.display();
    let refuse = |message: String| Err(WrongRequest::new(message).into());
    match target {
        Target::Folder if path.is_file() => {
            return refuse(format!("{name} is a file, and a folder is to be written; choose another place"));
        }
        Target::File if path.is_dir() => {
            return refuse(format!("{name} is a folder, and a file is to be written; name a file in it"));
        }
        _ => {}
    }
    let entries = path.read_dir().into_iter().flatten();
    let (leftovers, others): (Vec<PathBuf>, Vec<PathBuf>) =
        entries.filter_map(|entry| Some(entry.ok()?.path())).partition(|path| is_leftover(path));
    if !force && path.exists() && (path.is_file() || !others.is_empty()) {
        return refuse(format!("{name} exists; choose another place, or --force to write there"));
    }
    for path in leftovers {
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    create_parent(path)
}

/// Whether a file was being written when a process was killed: it is in the way, and may be as large as the model. `NAME.tmp-PID` is ours,
/// `.tmp` and six letters the name that crate `safetensors` writes under.
fn is_leftover(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_ours = name.rsplit_once(".tmp-").is_some_and(|(name, pid)| {
        (name.ends_with(".json") || name.ends_with(".safetensors")) && pid.parse::<u32>().is_ok()
    });
    let is_theirs =
        name.strip_prefix(".tmp").is_some_and(|rest| rest.len() == 6 && rest.chars().all(char::is_alphanumeric));
    path.is_file() && (is_ours || is_theirs)
}
