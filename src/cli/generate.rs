//! `llm generate`: continue a text.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use generation::{Generator, Limits, Sampler, Sampling};
use llm_from_scratch::request::WrongRequest;
use llm_from_scratch::stages::model_folder;
use tokenizer::{END, END_OF_TEXT};

use crate::device::DeviceKind;

#[derive(Debug, Args)]
#[command(
    after_help = "Example: llm generate --model runs/world/pretrained --prompt \"The market in\" --temperature 0.8"
)]
pub(crate) struct GenerateArgs {
    /// A model folder
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// The text to continue
    #[arg(long)]
    prompt: String,
    /// Generate at most so many tokens
    #[arg(long, value_name = "N", default_value_t = 64)]
    max_tokens: usize,
    /// 0 takes the most likely token; 1 samples from the model's own distribution
    #[arg(long, value_name = "T", default_value_t = 0.0, allow_negative_numbers = true)]
    temperature: f64,
    /// Sample among so many of the most likely tokens
    #[arg(long, value_name = "K")]
    top_k: Option<usize>,
    /// Sample among the most likely tokens that reach this probability
    #[arg(long, value_name = "P")]
    top_p: Option<f64>,
    /// Decides what is sampled
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Where to compute
    #[arg(long, value_enum, default_value = "cpu")]
    device: DeviceKind,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &GenerateArgs, out: &mut dyn Write) -> Result<()> {
    let sampler = Sampler::new(sampling(args)?, args.seed).map_err(|error| WrongRequest::new(error.to_string()))?;
    let (model, tokenizer) = model_folder::load_for_inference(&args.model, &args.device.open()?)?;
    let mut prompt = tokenizer.encode(&args.prompt);
    if prompt.is_empty() {
        // With nothing to continue, the model begins a document.
        prompt.push(tokenizer.id_of(END_OF_TEXT).context("the tokenizer has no end-of-text token")?);
    }
    let stop_tokens = [END_OF_TEXT, END].iter().filter_map(|token| tokenizer.id_of(token)).collect();
    let limits = Limits { max_tokens: args.max_tokens, stop_tokens };
    let max_seq_len = model.config().max_seq_len;
    if prompt.len() >= max_seq_len {
        let message = format!(
            "the prompt's {} tokens leave no room in the {max_seq_len} that the model reads; give a shorter one",
            prompt.len()
        );
        return Err(WrongRequest::new(message).into());
    }
    let generator = Generator::new(&model, &prompt, sampler, limits)?;
    if args.json {
        let ids = generator.collect::<candle_core::Result<Vec<u32>>>()?;
        let json = serde_json::json!({ "prompt": args.prompt, "text": tokenizer.decode(&ids), "n_tokens": ids.len() });
        writeln!(out, "{json}")?;
        return Ok(());
    }
    write!(out, "{}", args.prompt)?;
    let mut stream = tokenizer.decode_stream();
    for token in generator {
        if let Some(text) = stream.push(token?) {
            write!(out, "{text}")?;
            out.flush()?;
        }
    }
    writeln!(out, "{}", stream.finish().unwrap_or_default())?;
    Ok(())
}

fn sampling(args: &GenerateArgs) -> Result<Sampling, WrongRequest> {
    match Sampling::at_temperature(args.temperature) {
        Sampling::Random { temperature, top_p, .. } => {
            Ok(Sampling::Random { temperature, top_k: args.top_k, top_p: args.top_p.unwrap_or(top_p) })
        }
        Sampling::Greedy if args.top_k.is_some() || args.top_p.is_some() => {
            Err(WrongRequest::new("--top-k and --top-p choose among samples: they need a --temperature above 0"))
        }
        Sampling::Greedy => Ok(Sampling::Greedy),
    }
}
