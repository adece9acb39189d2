//! `llm tokenizer train|encode|decode|report`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use llm_from_scratch::request::WrongRequest;
use tokenizer::{Tokenizer, TrainConfig};

use super::texts::read_texts;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  llm tokenizer train --corpus notes.txt --vocab-size 2048 --out tokenizer.json\n  llm tokenizer encode --tokenizer tokenizer.json --text \"Hello\"\n  llm tokenizer decode --tokenizer tokenizer.json 41 72"
)]
pub(crate) struct TokenizerArgs {
    #[command(subcommand)]
    command: TokenizerCommand,
}

#[derive(Debug, Subcommand)]
enum TokenizerCommand {
    /// Learn a vocabulary from text
    Train {
        /// A file or folder of text
        #[arg(long, value_name = "PATH")]
        corpus: PathBuf,
        /// Number of tokens
        #[arg(long, default_value_t = 4096)]
        vocab_size: usize,
        /// Where tokenizer.json goes
        #[arg(long, value_name = "FILE", default_value = "tokenizer.json")]
        out: PathBuf,
    },
    /// Text to ids
    Encode {
        /// A tokenizer.json or a model folder
        #[arg(long, value_name = "PATH")]
        tokenizer: PathBuf,
        /// The text
        #[arg(long)]
        text: String,
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Ids to text
    Decode {
        /// A tokenizer.json or a model folder
        #[arg(long, value_name = "PATH")]
        tokenizer: PathBuf,
        /// The ids
        ids: Vec<u32>,
    },
    /// How well a vocabulary fits a text
    Report {
        /// A tokenizer.json or a model folder
        #[arg(long, value_name = "PATH")]
        tokenizer: PathBuf,
        /// A file or folder of text
        #[arg(long, value_name = "PATH")]
        corpus: PathBuf,
    },
}

pub(crate) fn run(args: &TokenizerArgs, out: &mut dyn Write) -> Result<()> {
    match &args.command {
        TokenizerCommand::Train { corpus, vocab_size, out: file } => {
            let config = TrainConfig::with_vocab_size(*vocab_size);
            config.validate().map_err(|error| WrongRequest::new(error.to_string()))?;
            let trained = Tokenizer::train(&read_texts(corpus)?, &config)?;
            trained.save(file).with_context(|| format!("cannot write {}", file.display()))?;
            writeln!(out, "{} tokens: {}", trained.vocab_size(), file.display())?;
        }
        TokenizerCommand::Encode { tokenizer, text, json } => {
            let tokenizer = load(tokenizer)?;
            let ids = tokenizer.encode(text);
            if *json {
                writeln!(out, "{}", serde_json::to_string(&ids)?)?;
            } else {
                for id in &ids {
                    writeln!(out, "{id:>6} {:?}", tokenizer.decode_with_special(&[*id]))?;
                }
            }
        }
        TokenizerCommand::Decode { tokenizer, ids } => {
            let tokenizer = load(tokenizer)?;
            if let Some(id) = ids.iter().find(|id| **id as usize >= tokenizer.vocab_size()) {
                let message = format!("id {id} is not below the vocabulary's {}", tokenizer.vocab_size());
                return Err(WrongRequest::new(message).into());
            }
            writeln!(out, "{}", tokenizer.decode_with_special(ids))?;
        }
        TokenizerCommand::Report { tokenizer, corpus } => {
            writeln!(out, "{}", tokenizer::report(&load(tokenizer)?, &read_texts(corpus)?))?;
        }
    }
    Ok(())
}

fn load(path: &Path) -> Result<Tokenizer> {
    let file = if path.is_dir() { path.join("tokenizer.json") } else { path.to_path_buf() };
    if !file.is_file() {
        return Err(WrongRequest::new(format!("there is no tokenizer {}", file.display())).into());
    }
    Ok(Tokenizer::load(file)?)
}
