//! `llm eval`: bits per byte of a model on any text.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use candle_core::Device;
use clap::Args;
use evaluation::bits_per_byte;
use llm_from_scratch::compute::Quantize;
use llm_from_scratch::request::WrongRequest;
use llm_from_scratch::run::{Run, Stage};
use llm_from_scratch::stages::{model_folder, run_until, summary};

use super::texts::read_texts;
use crate::device::DeviceKind;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  llm eval --model runs/world/model --text notes.txt\n  llm eval --model runs/world/model --text notes.txt --quantize q4_0\n  llm eval --run runs/world"
)]
pub(crate) struct EvalArgs {
    /// A run's folder: finishes its stages up to the evaluation and shows all scores
    #[arg(long, value_name = "DIR", conflicts_with_all = ["model", "text"], required_unless_present = "model")]
    run: Option<PathBuf>,
    /// A model folder
    #[arg(long, value_name = "DIR", requires = "text")]
    model: Option<PathBuf>,
    /// A file or folder of text
    #[arg(long, value_name = "PATH")]
    text: Option<PathBuf>,
    /// Hold the model's matrices in this type, to see what that costs
    #[arg(long, value_enum, value_name = "TYPE", conflicts_with = "run")]
    quantize: Option<Quantize>,
    /// Where to compute
    #[arg(long, value_enum, default_value = "cpu")]
    device: DeviceKind,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &EvalArgs, out: &mut dyn Write) -> Result<()> {
    let device = args.device.open()?;
    match (&args.run, &args.model, &args.text) {
        (Some(run), ..) => all_scores(&mut Run::existing(run, device)?, args.json, out),
        (None, Some(model), Some(text)) => score_on_text(args, model, text, &device, out),
        _ => Err(WrongRequest::new("give --run, or --model and --text").into()),
    }
}

fn all_scores(run: &mut Run, json: bool, out: &mut dyn Write) -> Result<()> {
    run_until(run, Stage::Evaluate, &mut |_, _, _| Ok(()))?;
    let summary = summary::summary(run)?;
    writeln!(out, "{}", if json { summary.to_string() } else { serde_json::to_string_pretty(&summary)? })?;
    Ok(())
}

fn score_on_text(args: &EvalArgs, model: &Path, text: &Path, device: &Device, out: &mut dyn Write) -> Result<()> {
    let texts = read_texts(text)?;
    let (model, tokenizer) = model_folder::load_for_inference(model, device, args.quantize)?;
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let score = bits_per_byte(&model, &tokenizer, &texts)?;
    if args.json {
        let json = serde_json::json!({
            "bits_per_byte": score.value(), "loss_per_token": score.loss_per_token(),
            "n_bytes": score.n_bytes, "n_tokens": score.n_tokens,
        });
        writeln!(out, "{json}")?;
        return Ok(());
    }
    writeln!(out, "bits per byte  {:.4}", score.value())?;
    writeln!(out, "loss a token   {:.4} (perplexity {:.2})", score.loss_per_token(), score.loss_per_token().exp())?;
    writeln!(out, "{} documents, {} bytes, {} tokens", texts.len(), score.n_bytes, score.n_tokens)?;
    Ok(())
}
