//! `llm export`: a model of ours for llama.cpp, or for Hugging Face's tools.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::{ArgGroup, Args, ValueEnum};
use llm_from_scratch::progress::warn_once;
use llm_from_scratch::stages::exchange::Package;
use transformer::gguf::Storage;

use super::import::{NumberType, Target, make_room};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  llm export --model runs/world/model --gguf world.gguf --type q8_0\n  llm export --model runs/world/model --hf world --hf-type bf16"
)]
#[command(group = ArgGroup::new("target").required(true).args(["gguf", "hf"]))]
pub(crate) struct ExportArgs {
    /// A model folder
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// The GGUF file to write
    #[arg(long, value_name = "FILE")]
    gguf: Option<PathBuf>,
    /// How its matrices are stored
    #[arg(long = "type", value_enum, default_value = "f16", conflicts_with = "hf")]
    storage: StorageType,
    /// The folder to write, in Hugging Face's layout
    #[arg(long, value_name = "DIR")]
    hf: Option<PathBuf>,
    /// How its numbers are stored
    #[arg(long, value_enum, default_value = "f32", conflicts_with = "gguf")]
    hf_type: NumberType,
    /// Replace what is there
    #[arg(long)]
    force: bool,
}

/// A type of the matrices in a GGUF file.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum StorageType {
    /// 32 bits a weight
    #[value(name = "f32")]
    F32,
    /// 16 bits
    #[value(name = "f16")]
    F16,
    /// 8.5 bits
    #[value(name = "q8_0")]
    Q8_0,
    /// 4.5 bits; embedding and head 8.5
    #[value(name = "q4_0")]
    Q4_0,
}

impl StorageType {
    fn storage(self) -> Storage {
        match self {
            Self::F32 => Storage::F32,
            Self::F16 => Storage::F16,
            Self::Q8_0 => Storage::Q8_0,
            Self::Q4_0 => Storage::Q4_0,
        }
    }
}

pub(crate) fn run(args: &ExportArgs, out: &mut dyn Write) -> Result<()> {
    let file = args.gguf.iter().map(|path| (path, Target::File));
    for (path, target) in file.chain(args.hf.iter().map(|path| (path, Target::Folder))) {
        make_room(path, target, args.force)?;
    }
    let package = Package::open(&args.model)?;
    if let Some(path) = &args.gguf {
        if let Some(window) = package.model.config().architecture.sliding_window {
            warn_once(&format!(
                "llama.cpp lets every token see all earlier ones, this model the last {window}; beyond that the two differ"
            ));
        }
        package.save_gguf(path, args.storage.storage())?;
        writeln!(out, "{}: {:.1} MB", path.display(), fs::metadata(path)?.len() as f64 / 1e6)?;
    }
    if let Some(folder) = &args.hf {
        package.save_folder(folder, args.hf_type.dtype())?;
        writeln!(out, "{}: a folder for transformers, vLLM and llama.cpp's converter", folder.display())?;
    }
    Ok(())
}
