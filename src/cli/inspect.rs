//! `llm inspect`: what a model looks at, and what it would say after each block.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use candle_core::Device;
use clap::Args;
use llm_from_scratch::inspection::Inspection;
use llm_from_scratch::request::WrongRequest;
use llm_from_scratch::stages::model_folder;
use tokenizer::Tokenizer;
use transformer::Transformer;

use super::ids::parse_ids;

/// Maps of longer texts would be larger than a screen.
const MAX_TOKENS: usize = 256;

#[derive(Debug, Args)]
#[command(
    after_help = "Example: llm inspect --model runs/world/pretrained --prompt \"The market in Bell Hollow is\" --out look.html"
)]
pub(crate) struct InspectArgs {
    /// A model folder
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// The text to read
    #[arg(long, required_unless_present = "ids", conflicts_with = "ids")]
    prompt: Option<String>,
    /// The same as token ids
    #[arg(long, value_name = "1,2,3", allow_hyphen_values = true)]
    ids: Option<String>,
    /// The page to write
    #[arg(long, value_name = "FILE", default_value = "inspect.html")]
    out: PathBuf,
    /// Print all numbers as one JSON object, and write no page
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &InspectArgs, out: &mut dyn Write) -> Result<()> {
    let (model, tokenizer, ids) = read(&args.model, args.prompt.as_deref(), args.ids.as_deref())?;
    let most = model.config().max_seq_len.min(MAX_TOKENS);
    if ids.len() > most {
        let message = format!("the text has {} tokens; at most {most} can be looked at", ids.len());
        return Err(WrongRequest::new(message).into());
    }
    let inspection = Inspection::of(&model, tokenizer.as_ref(), &ids)?;
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&inspection)?)?;
        return Ok(());
    }
    let page = inspection.page(&format!("Inside {}", args.model.display()))?;
    super::files::write(&args.out, &page)?;
    writeln!(
        out,
        "{} tokens, {} layers of {} heads: {}",
        ids.len(),
        inspection.maps.len(),
        model.config().n_heads,
        args.out.display()
    )?;
    Ok(())
}

/// A model, its tokenizer if it has one, and a prompt as ids that the model knows.
///
/// # Errors
/// If there is no model, or no token, or one that the model does not know, or too many.
pub(super) fn read(
    folder: &std::path::Path,
    prompt: Option<&str>,
    ids: Option<&str>,
) -> Result<(Transformer, Option<Tokenizer>, Vec<u32>)> {
    model_folder::require(folder)?;
    // Ids need no tokenizer; where there is one, it names them.
    let file = folder.join("tokenizer.json");
    let (model, tokenizer) = if ids.is_some() && !file.is_file() {
        (Transformer::load(folder, &Device::Cpu)?, None)
    } else {
        let (model, tokenizer) = model_folder::load(folder, &Device::Cpu)?;
        (model, Some(tokenizer))
    };
    let (max_seq_len, vocab_size) = (model.config().max_seq_len, model.config().vocab_size);
    let ids = match (ids, prompt, &tokenizer) {
        (Some(ids), ..) => parse_ids(ids, vocab_size)?,
        (None, Some(prompt), Some(tokenizer)) => tokenizer.encode(prompt),
        _ => Vec::new(),
    };
    if ids.is_empty() || ids.len() > max_seq_len {
        let way_out = if ids.is_empty() { "give some text" } else { "give a shorter one" };
        let message = format!("the prompt has {} tokens; the model reads 1 to {max_seq_len}: {way_out}", ids.len());
        return Err(WrongRequest::new(message).into());
    }
    Ok((model, tokenizer, ids))
}
