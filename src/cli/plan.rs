//! `llm plan`: what a preset's pretraining takes, counted and predicted without running it.

use std::io::Write;

use anyhow::Result;
use clap::Args;
use kernels::activation_memory::Graph;
use llm_from_scratch::preset::RunConfig;
use llm_from_scratch::request::WrongRequest;
use pretraining::Gpu;
use pretraining::gpu::GPUS;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  llm plan --preset gpu-24gb\n  llm plan --preset gpu-80gb --gpu h100-sxm --mfu 0.4 --json"
)]
pub(crate) struct PlanArgs {
    /// Settings: gpu-8gb, gpu-24gb, gpu-80gb, or any other preset
    #[arg(long)]
    preset: String,
    /// One GPU, such as rtx-4090 [default: all that are known]
    #[arg(long, value_name = "NAME")]
    gpu: Option<String>,
    /// The share of the GPU's peak that is assumed
    #[arg(long, default_value_t = 0.35)]
    mfu: f64,
    /// Compute activations again in the backward pass
    #[arg(long)]
    recompute: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &PlanArgs, out: &mut dyn Write) -> Result<()> {
    let config = RunConfig::preset(&args.preset)?;
    if !(args.mfu > 0.0 && args.mfu <= 1.0) {
        return Err(WrongRequest::new(format!("--mfu {} must be above 0 and at most 1", args.mfu)).into());
    }
    let gpus = match &args.gpu {
        None => GPUS.to_vec(),
        Some(name) => {
            vec![
                Gpu::named(name)
                    .ok_or_else(|| WrongRequest::unknown("GPU", &name.to_uppercase(), &GPUS.map(|gpu| gpu.name)))?,
            ]
        }
    };
    let graph = if args.recompute || config.compute.recompute { Graph::Recompute } else { Graph::Branches };
    let plan = pretraining::plan(&config.model, &config.pretrain, graph, &gpus, args.mfu);
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&plan)?)?;
    } else {
        writeln!(out, "{plan}")?;
    }
    Ok(())
}
