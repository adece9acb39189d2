//! `llm pretrain`: everything up to a pretrained model; or, from a given checkpoint on given batches, a trace that another program can repeat.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use llm_from_scratch::compute::ComputeConfig;
use llm_from_scratch::request::WrongRequest;
use llm_from_scratch::run::Stage;
use llm_from_scratch::trace::TraceJob;
use transformer::Transformer;

use super::run::{RunArgs, run_stage};
use crate::device::DeviceKind;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  llm pretrain --preset small --corpus my-notes/\n  llm pretrain --init MODEL --batches batches.json --dump-trace trace.jsonl"
)]
pub(crate) struct PretrainArgs {
    #[command(flatten)]
    run: RunArgs,
    /// A model folder to start from, for a trace
    #[arg(long, value_name = "DIR", requires_all = ["batches", "dump_trace"], conflicts_with_all = ["corpus", "preset", "config", "name", "minutes", "resume"])]
    init: Option<PathBuf>,
    /// Settings and batches of token ids: {"train": {"steps": 20, "schedule": {"peak_lr": 0.001, "warmup_steps": 4}}, "batches": [[[1, 2, 3]]]}
    #[arg(long, value_name = "FILE", requires = "init")]
    batches: Option<PathBuf>,
    /// Where to write loss, gradient norm and learning rate of every step, one JSON object a line
    #[arg(long, value_name = "FILE", requires = "init")]
    dump_trace: Option<PathBuf>,
}

pub(crate) fn run(args: &PretrainArgs, out: &mut dyn Write) -> Result<()> {
    match (&args.init, &args.batches, &args.dump_trace) {
        (Some(init), Some(batches), Some(trace)) => dump_trace(args, [init, batches, trace], out),
        _ => run_stage(&args.run, Stage::Pretrain, out),
    }
}

fn dump_trace(args: &PretrainArgs, [init, batches, trace]: [&PathBuf; 3], out: &mut dyn Write) -> Result<()> {
    let device = args.run.device.unwrap_or(DeviceKind::Cpu).open()?;
    let usual = ComputeConfig::default();
    let compute = ComputeConfig {
        ops: args.run.ops.unwrap_or(usual.ops),
        precision: args.run.precision.unwrap_or(usual.precision),
        recompute: args.run.recompute,
    };
    compute.validate_on(&device).map_err(|error| WrongRequest::new(error.to_string()))?;
    let job = TraceJob::read(batches)?;
    let model = Transformer::load(init, &device)?;
    let steps = job.run(&model, compute)?;
    let lines: Vec<String> = steps.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
    std::fs::write(trace, lines.join("\n") + "\n").with_context(|| format!("cannot write {}", trace.display()))?;
    if let (Some(first), Some(last)) = (steps.first(), steps.last()) {
        writeln!(out, "{} steps, loss {:.6} to {:.6}: {}", steps.len(), first.loss, last.loss, trace.display())?;
    }
    Ok(())
}
