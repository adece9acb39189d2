//! `llm eval`: bits per byte of a model on any text.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use corpus::read_folder;
use evaluation::bits_per_byte;
use llm_from_scratch::run::{Run, Stage};
use llm_from_scratch::stages::{model_folder, run_until, summary};

use crate::device::DeviceKind;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  llm eval --model runs/world/model --text notes.txt\n  llm eval --run runs/world")]
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
    /// Where to compute
    #[arg(long, value_enum, default_value = "cpu")]
    device: DeviceKind,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &EvalArgs) -> Result<()> {
    let device = args.device.open()?;
    if let Some(folder) = &args.run {
        let mut run = Run::existing(folder, device)?;
        run_until(&mut run, Stage::Evaluate, &mut |_, _, _| {})?;
        let summary = summary::summary(&run)?;
        println!("{}", if args.json { summary.to_string() } else { serde_json::to_string_pretty(&summary)? });
        return Ok(());
    }
    let (Some(model), Some(text)) = (&args.model, &args.text) else { return Ok(()) };
    let (model, tokenizer) = model_folder::load(model, &device)?;
    let documents = read_folder(text)?.documents;
    let texts: Vec<&str> = documents.iter().map(|document| document.text.as_str()).collect();
    let score = bits_per_byte(&model.for_inference()?, &tokenizer, &texts)?;
    if args.json {
        let json = serde_json::json!({
            "bits_per_byte": score.value(), "loss_per_token": score.loss_per_token(),
            "n_bytes": score.n_bytes, "n_tokens": score.n_tokens,
        });
        println!("{json}");
    } else {
        println!("bits per byte  {:.4}", score.value());
        println!("loss a token   {:.4} (perplexity {:.2})", score.loss_per_token(), score.loss_per_token().exp());
        println!("{} documents, {} bytes, {} tokens", texts.len(), score.n_bytes, score.n_tokens);
    }
    Ok(())
}
