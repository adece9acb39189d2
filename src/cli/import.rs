//! `llm import`: a model folder out of another folder or a GGUF file.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use candle_core::DType;
use clap::{Args, ValueEnum};
use llm_from_scratch::request::WrongRequest;
use llm_from_scratch::stages::exchange::Package;
use transformer::n_parameters;

#[derive(Debug, Args)]
#[command(
    after_help = "Example: llm import SmolLM2-135M-Instruct.Q4_1.gguf --out models/smollm2\nThen: llm chat --model models/smollm2"
)]
pub(crate) struct ImportArgs {
    /// A model folder of Hugging Face's, or a GGUF file
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
    refuse_existing(&args.out, args.force)?;
    let package = Package::open(&args.source)?;
    package.save_folder(&args.out, args.number.dtype())?;
    let (n, chat) =
        (n_parameters(package.model.config()), if package.chat_template.is_some() { "chat" } else { "base" });
    writeln!(out, "{}: a {chat} model of {:.1} M parameters", args.out.display(), n as f64 / 1e6)?;
    Ok(())
}

/// Refuses a path that holds something, unless it may be replaced.
pub(super) fn refuse_existing(path: &Path, force: bool) -> Result<(), WrongRequest> {
    let is_empty_folder = || path.read_dir().is_ok_and(|mut entries| entries.next().is_none());
    if force || !path.exists() || is_empty_folder() {
        return Ok(());
    }
    Err(WrongRequest::new(format!("{} exists; choose another place, or --force to write there", path.display())))
}
