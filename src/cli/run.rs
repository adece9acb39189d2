//! `llm run`, and the commands that stop at an earlier stage.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use llm_from_scratch::preset::{RUST_DOCS, RunConfig, WORLD};
use llm_from_scratch::request::WrongRequest;
use llm_from_scratch::run::{Existing, Run, Stage};
use llm_from_scratch::stages::{run_until, summary};

use crate::device::DeviceKind;

/// What to run, and where it goes.
#[derive(Debug, Clone, Default, Args)]
#[command(
    after_help = "Examples:\n  llm run\n  llm run --corpus rust-docs --minutes 10\n  llm run --corpus my-notes/ --preset small --name notes\n  llm run --name world --resume"
)]
pub(crate) struct RunArgs {
    /// world, rust-docs, or a path to .txt, .md, .html, .jsonl or .warc(.gz) files [default: world]
    #[arg(long)]
    pub(crate) corpus: Option<String>,
    /// Settings: world, micro or small [default: world for the world, small for other corpora]
    #[arg(long, conflicts_with = "config")]
    pub(crate) preset: Option<String>,
    /// Settings from a TOML file, such as a run's run.toml
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Fit training to this time on this machine
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) minutes: Option<f64>,
    /// Decides everything that is random [default: 0]
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,
    /// The run's folder is runs/NAME [default: named after corpus, preset and seed]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Delete the run of that name and start anew
    #[arg(long, conflicts_with = "resume")]
    pub(crate) force: bool,
    /// Continue the run of that name
    #[arg(long)]
    pub(crate) resume: bool,
    /// Where to compute [default: cpu]
    #[arg(long, value_enum)]
    pub(crate) device: Option<DeviceKind>,
    /// Print the results as one JSON object on the last line
    #[arg(long)]
    pub(crate) json: bool,
}

/// `llm run`: an existing run is refused unless the user says what to do with it.
pub(crate) fn run(args: &RunArgs, last: Stage) -> Result<()> {
    let existing = match (args.force, args.resume) {
        (true, _) => Existing::Replace,
        (_, true) => Existing::Continue,
        _ => Existing::Refuse,
    };
    execute(args, last, existing)
}

/// A stage's own command: it goes on with the run of that name, doing what is missing up to the stage.
pub(crate) fn run_stage(args: &RunArgs, last: Stage) -> Result<()> {
    execute(args, last, if args.force { Existing::Replace } else { Existing::Continue })
}

fn execute(args: &RunArgs, last: Stage, existing: Existing) -> Result<()> {
    let device = args.device.unwrap_or(DeviceKind::Cpu).open()?;
    let config = settings(args)?;
    let name = run_name(args, &config)?;
    let folder = PathBuf::from("runs").join(&name);
    if args.resume && !folder.exists() {
        return Err(WrongRequest::new(format!("there is no run {} to resume", folder.display())).into());
    }
    let mut run = Run::open(&folder, config.clone(), device, existing)?;
    refuse_other_settings(args, run.config())?;
    println!("run {} (corpus {}, seed {})", folder.display(), run.config().corpus, run.config().seed);
    let mut total_s = 0.0;
    run_until(&mut run, last, &mut |stage, seconds, words| {
        total_s += seconds;
        println!("\n== {} ({seconds:.1} s)", stage.name());
        println!("{words}");
    })?;
    println!("\nfinished in {total_s:.0} s: {}", folder.display());
    if last == Stage::Report {
        println!("  open  {}", run.path("report.html").display());
        println!("  talk  llm chat --model {}", run.path("model").display());
    }
    if args.json {
        println!("{}", summary::summary(&run)?);
    }
    Ok(())
}

/// The settings that the arguments ask for.
fn settings(args: &RunArgs) -> Result<RunConfig> {
    let corpus = args.corpus.as_deref();
    let mut config = match (&args.config, &args.preset) {
        (Some(file), _) => {
            let text = std::fs::read_to_string(file)
                .map_err(|error| WrongRequest::new(format!("cannot read {}: {error}", file.display())))?;
            RunConfig::parse(&text)?
        }
        (None, Some(preset)) => RunConfig::preset(preset)?,
        (None, None) => RunConfig::preset(if corpus.is_none_or(|corpus| corpus == WORLD) { "world" } else { "small" })?,
    };
    if let Some(corpus) = corpus {
        config.corpus = corpus.to_string();
    }
    if let Some(seed) = args.seed {
        config.seed = seed;
    }
    if let Some(minutes) = args.minutes {
        if minutes.is_nan() || minutes <= 0.0 {
            return Err(WrongRequest::new(format!("--minutes {minutes} must be more than 0")).into());
        }
        config.minutes = Some(minutes);
    }
    Ok(config)
}

/// The run's name: given, or made of corpus, preset and seed.
fn run_name(args: &RunArgs, config: &RunConfig) -> Result<String> {
    let name = match &args.name {
        Some(name) => name.clone(),
        None => {
            let corpus = match config.corpus.as_str() {
                known @ (WORLD | RUST_DOCS) => known,
                path => path.trim_end_matches('/').rsplit('/').next().unwrap_or("corpus"),
            };
            let preset = args.preset.iter().filter(|preset| *preset != corpus).map(|preset| format!("-{preset}"));
            let seed = if config.seed == 0 { String::new() } else { format!("-seed{}", config.seed) };
            format!("{corpus}{}{seed}", preset.collect::<String>())
        }
    };
    let is_plain =
        !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c)) && !name.starts_with('.');
    if !is_plain {
        let message = format!("--name {name:?} must be letters, digits, '-', '_' and '.', as it becomes a folder");
        return Err(WrongRequest::new(message).into());
    }
    Ok(name)
}

/// A continued run keeps its settings; arguments that ask for others are not ignored in silence.
fn refuse_other_settings(args: &RunArgs, config: &RunConfig) -> Result<()> {
    let refuse = |what: &str, wanted: String, found: String| {
        let message = format!("the run has {what} {found}, not {wanted}; leave --{what} out, or choose another --name");
        Err(WrongRequest::new(message).into())
    };
    if let Some(seed) = args.seed.filter(|seed| *seed != config.seed) {
        return refuse("seed", seed.to_string(), config.seed.to_string());
    }
    if let Some(corpus) = args.corpus.as_ref().filter(|corpus| **corpus != config.corpus) {
        return refuse("corpus", corpus.clone(), config.corpus.clone());
    }
    Ok(())
}
