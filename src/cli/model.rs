//! `llm model`: what a model is and costs, and what it says next.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use candle_core::{Device, Tensor};
use clap::{Args, Subcommand};
use kernels::activation_memory::Graph;
use kernels::training_memory::{StepSizes, Stored};
use llm_from_scratch::model_report::ModelReport;
use llm_from_scratch::preset::RunConfig;
use llm_from_scratch::request::WrongRequest;
use llm_from_scratch::stages::model_folder;
use transformer::Transformer;
use transformer::checkpoint::read_config;

use super::inspect::read;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  llm model report --model runs/world/model\n  llm model report --preset gpu-24gb --batch 8 --json\n  llm model logits --model runs/world/pretrained --prompt \"The market in\" --top 5"
)]
pub(crate) struct ModelArgs {
    #[command(subcommand)]
    command: ModelCommand,
}

#[derive(Debug, Subcommand)]
enum ModelCommand {
    /// Parameters, FLOPs and memory, by part
    Report(ReportArgs),
    /// The most likely next tokens, with raw logits
    Logits(LogitsArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Example: llm model report --model runs/world/model --batch 8 --seq-len 256")]
struct ReportArgs {
    /// A model folder
    #[arg(long, value_name = "DIR", required_unless_present = "preset", conflicts_with = "preset")]
    model: Option<PathBuf>,
    /// A preset's model
    #[arg(long, value_name = "P")]
    preset: Option<String>,
    /// Sequences in a training batch
    #[arg(long, value_name = "N", default_value_t = 8)]
    batch: usize,
    /// Tokens in a sequence [default: the longest that the model reads, 2048 at most]
    #[arg(long, value_name = "N")]
    seq_len: Option<usize>,
    /// Compute activations again in the backward pass
    #[arg(long)]
    recompute: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: llm model logits --model runs/world/pretrained --ids 5,17,3 --top 5 --json")]
struct LogitsArgs {
    /// A model folder
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// The text before
    #[arg(long, required_unless_present = "ids", conflicts_with = "ids")]
    prompt: Option<String>,
    /// The same as token ids
    #[arg(long, value_name = "1,2,3", allow_hyphen_values = true)]
    ids: Option<String>,
    /// How many tokens to show
    #[arg(long, value_name = "K", default_value_t = 10)]
    top: usize,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &ModelArgs, out: &mut dyn Write) -> Result<()> {
    match &args.command {
        ModelCommand::Report(args) => report(args, out),
        ModelCommand::Logits(args) => logits(args, out),
    }
}

fn report(args: &ReportArgs, out: &mut dyn Write) -> Result<()> {
    let config = match (&args.model, &args.preset) {
        (_, Some(preset)) => RunConfig::preset(preset)?.model,
        (Some(folder), None) => {
            model_folder::require(folder)?;
            read_config(folder)?
        }
        (None, None) => return Err(WrongRequest::new("give --model DIR or --preset P").into()),
    };
    const USUAL_SEQ_LEN: usize = 2048;
    let seq_len = args.seq_len.unwrap_or(config.max_seq_len.min(USUAL_SEQ_LEN));
    const MAX_BATCH: usize = 1 << 20;
    if seq_len == 0 || seq_len > config.max_seq_len || args.batch == 0 || args.batch > MAX_BATCH {
        let message = format!(
            "--batch {} must be between 1 and {MAX_BATCH}, and --seq-len {seq_len} between 1 and the model's {}",
            args.batch, config.max_seq_len
        );
        return Err(WrongRequest::new(message).into());
    }
    let graph = if args.recompute { Graph::Recompute } else { Graph::Branches };
    let step = StepSizes { batch: args.batch, seq_len, micro_batches: 1, graph, stored: Stored::OnCpu };
    let mut report = ModelReport::of(&config, &step);
    if let Some(folder) = &args.model {
        report.n_counted = Some(Transformer::load(folder, &Device::Cpu)?.parameters().n_scalars());
    }
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
    } else {
        writeln!(out, "{report}")?;
    }
    Ok(())
}

fn logits(args: &LogitsArgs, out: &mut dyn Write) -> Result<()> {
    if args.top == 0 {
        return Err(WrongRequest::new("--top 0 shows nothing; give at least 1").into());
    }
    let (model, tokenizer, ids) = read(&args.model, args.prompt.as_deref(), args.ids.as_deref())?;
    let tokens = Tensor::from_slice(&ids, (1, ids.len()), &Device::Cpu)?;
    let model = model.for_inference()?;
    let logits = model.next_logits(&tokens, &mut attention::NoStore)?.squeeze(0)?.to_vec1::<f32>()?;
    let mut order: Vec<u32> = (0..logits.len() as u32).collect();
    order.sort_by(|a, b| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b)));
    order.truncate(args.top);
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f64 = logits.iter().map(|logit| f64::from(logit - max).exp()).sum();
    let text = |id: u32| tokenizer.as_ref().map(|tokenizer| tokenizer.text_inside(id));
    if args.json {
        let top: Vec<_> = order
            .iter()
            .map(|id| serde_json::json!({"id": id, "token": text(*id), "logit": logits[*id as usize]}))
            .collect();
        let json =
            serde_json::json!({"ids": ids, "tokens": ids.iter().map(|id| text(*id)).collect::<Vec<_>>(), "top": top});
        writeln!(out, "{json}")?;
        return Ok(());
    }
    writeln!(out, "{} tokens: {}", ids.len(), ids.iter().map(u32::to_string).collect::<Vec<_>>().join(" "))?;
    writeln!(out, "{:>8} {:>12} {:>12}  token", "id", "logit", "probability")?;
    for id in order {
        let logit = logits[id as usize];
        let probability = f64::from(logit - max).exp() / total;
        writeln!(out, "{id:>8} {logit:>12.4} {probability:>12.4}  {:?}", text(id).unwrap_or_default())?;
    }
    Ok(())
}
