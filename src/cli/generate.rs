//! `llm generate`: continue a text, or several.

mod fit;
mod prompts;
pub(crate) mod report;
pub(crate) mod sampling;

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use generation::{Completion, Completions, Request};
use llm_from_scratch::compute::Quantize;
use llm_from_scratch::stages::model_folder;
use tokenizer::{END_OF_TEXT, Tokenizer};
use transformer::Transformer;

pub(crate) use self::fit::longest_prompt;
use self::fit::{Overflow, fit};
use self::sampling::{SamplingArgs, Settings};
use crate::device::DeviceKind;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  llm generate --model runs/world/pretrained --prompt \"The market in\" --temperature 0.8 --top-p 0.95
  llm generate --model runs/world/pretrained --prompt \"The river\" --prompt \"The doors\" --stop . --json
  llm generate --model runs/world/pretrained --prompt \"The market in\" --quantize q8_0
  llm generate --model runs/world/pretrained --prompts questions.jsonl --batch-size 16 --json")]
pub(crate) struct GenerateArgs {
    /// A model folder
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// The text to continue; may be given several times
    #[arg(long, value_name = "TEXT", required_unless_present = "prompts", conflicts_with = "prompts")]
    prompt: Vec<String>,
    /// The texts to continue: a file with one a line, or JSON Lines (.jsonl, .ndjson) with a field "prompt"; - is standard input
    #[arg(long, value_name = "FILE")]
    prompts: Option<PathBuf>,
    /// Generate at most so many tokens
    #[arg(long, value_name = "N", default_value_t = 64)]
    max_tokens: usize,
    /// Leave out the beginning of a prompt that is too long for the model
    #[arg(long)]
    truncate: bool,
    /// Generate so many texts side by side
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    batch_size: u32,
    #[command(flatten)]
    sampling: SamplingArgs,
    /// Hold the model's matrices in this type: less memory, faster tokens, a slightly different model
    #[arg(long, value_enum, value_name = "TYPE")]
    quantize: Option<Quantize>,
    /// Where to compute
    #[arg(long, value_enum, default_value = "cpu")]
    device: DeviceKind,
    /// Print one JSON object a prompt, a line each
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &GenerateArgs, out: &mut dyn Write) -> Result<()> {
    let settings = args.sampling.settings()?;
    let prompts = match &args.prompts {
        Some(path) => prompts::read_prompts(path)?,
        None => args.prompt.clone(),
    };
    let (model, tokenizer) = model_folder::load_for_inference(&args.model, &args.device.open()?, args.quantize)?;
    let requests = prompts
        .iter()
        .enumerate()
        .map(|(index, prompt)| {
            let request = request(args, &settings, prompt, &model, &tokenizer);
            // Of a single one it goes without saying.
            if prompts.len() == 1 {
                request
            } else {
                request.with_context(|| format!("prompt {} of {}", index + 1, prompts.len()))
            }
        })
        .collect::<Result<Vec<_>>>()?;
    if let ([prompt], false) = (prompts.as_slice(), args.json) {
        write!(out, "{prompt}")?;
        let completions = Completions::new(&model, &tokenizer, requests, &settings.stops, settings.n_log_probs)?;
        let completion = stream(completions, out)?;
        writeln!(out)?;
        return report::table(&completion, &tokenizer, out);
    }
    let batch_size = args.batch_size as usize;
    for (prompts, requests) in prompts.chunks(batch_size).zip(requests.chunks(batch_size)) {
        let completions =
            Completions::new(&model, &tokenizer, requests.to_vec(), &settings.stops, settings.n_log_probs)?;
        for (prompt, completion) in prompts.iter().zip(completions.finish()?) {
            if args.json {
                writeln!(out, "{}", report::json(Some(prompt), &completion, &tokenizer))?;
            } else {
                writeln!(out, "{prompt}{}", completion.text)?;
                report::table(&completion, &tokenizer, out)?;
            }
        }
        out.flush()?;
    }
    Ok(())
}

/// Writes the text of a single completion as it comes.
fn stream(mut completions: Completions, out: &mut dyn Write) -> Result<Completion> {
    while let Some(pieces) = completions.step()? {
        for (_, piece) in pieces {
            write!(out, "{piece}")?;
        }
        out.flush()?;
    }
    completions.finish()?.pop().context("there is no completion of a single prompt")
}

fn request(
    args: &GenerateArgs,
    settings: &Settings,
    prompt: &str,
    model: &Transformer,
    tokenizer: &Tokenizer,
) -> Result<Request> {
    let mut ids = tokenizer.wrap(&tokenizer.encode(prompt));
    if ids.is_empty() {
        // With nothing to continue, the model begins a document.
        ids.push(tokenizer.id_of(END_OF_TEXT).context("the tokenizer has no end-of-text token")?);
    }
    // A token that begins every text begins a shortened one too.
    let n_kept = ids.first().map_or(0, |first| usize::from(tokenizer.is_special(*first)));
    let max_seq_len = model.config().max_seq_len;
    let ids = fit(ids, n_kept, max_seq_len, args.max_tokens, Overflow::new(args.truncate))?;
    let mut request = settings.request(ids, args.max_tokens, &[], tokenizer);
    request.limits.stop_tokens.extend(model_folder::end_tokens(&args.model)?);
    Ok(request)
}
