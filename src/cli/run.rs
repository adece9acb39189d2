//! `llm run`, and the commands that stop at an earlier stage.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, ValueEnum};
use llm_from_scratch::compute::{OpsKind, PrecisionKind};
use llm_from_scratch::corpus_source::CorpusSource;
use llm_from_scratch::preset::{RunConfig, wants_own_corpus};
use llm_from_scratch::request::WrongRequest;
use llm_from_scratch::run::{Existing, Run, Stage};
use llm_from_scratch::stages::{dpo, run_until, summary};

use super::numbers::whole;
use crate::device::DeviceKind;

/// run.toml has no larger numbers.
const MAX_SEED: u64 = i64::MAX as u64;

fn seed(text: &str) -> Result<u64, String> {
    whole(text)
        .and_then(|seed| if seed <= MAX_SEED { Ok(seed) } else { Err(format!("{seed} is more than {MAX_SEED}")) })
}

/// What to run, and where it goes.
#[derive(Debug, Clone, Default, Args)]
#[command(
    after_help = "Examples:\n  llm run\n  llm run --corpus rust-docs --minutes 10\n  llm run --corpus my-notes/ --preset small --name notes\n  llm run --name world --resume"
)]
pub(crate) struct RunArgs {
    /// world, rust-docs, or a path to .txt, .md, .html, .jsonl or .warc(.gz) files [default: world]
    #[arg(long)]
    pub(crate) corpus: Option<CorpusSource>,
    /// Settings: world, micro, small, gpu-8gb, gpu-24gb or gpu-80gb [default: world for the world, small for other corpora]
    #[arg(long, conflicts_with = "config")]
    pub(crate) preset: Option<String>,
    /// Settings from a TOML file, such as a run's run.toml
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Fit training to this time on this machine
    #[arg(long, value_name = "N")]
    pub(crate) minutes: Option<f64>,
    /// Decides everything that is random [default: 0]
    #[arg(long, value_name = "S", value_parser = seed)]
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
    /// What the model computes on [default: fused]
    #[arg(long, value_enum)]
    pub(crate) ops: Option<OpsKind>,
    /// In which precision matrices are multiplied [default: f32]
    #[arg(long, value_enum)]
    pub(crate) precision: Option<PrecisionKind>,
    /// Compute activations again in the backward pass, to save their memory
    #[arg(long)]
    pub(crate) recompute: bool,
    /// Print the results as one JSON object on the last line
    #[arg(long)]
    pub(crate) json: bool,
}

/// `llm run` itself, which may stop at any stage.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  llm run\n  llm run --corpus rust-docs --minutes 10\n  llm run --corpus my-notes/ --preset small --name notes\n  llm run --corpus my-notes/ --until shards\n  llm run --name world --resume"
)]
pub(crate) struct WholeRunArgs {
    #[command(flatten)]
    run: RunArgs,
    /// Stop after this stage; --resume goes on from there [default: report, the last]
    #[arg(long, value_enum, value_name = "STAGE")]
    until: Option<Stage>,
}

/// `llm run`: an existing run is refused unless the user says what to do with it.
pub(crate) fn run(args: &WholeRunArgs, out: &mut dyn Write) -> Result<()> {
    let (args, last) = (&args.run, args.until.unwrap_or(Stage::Report));
    let existing = match (args.force, args.resume) {
        (true, _) => Existing::Replace,
        (_, true) => Existing::Continue,
        _ => Existing::Refuse,
    };
    execute(args, last, existing, out)
}

/// A stage's own command: it goes on with the run of that name, doing what is missing up to the stage.
pub(crate) fn run_stage(args: &RunArgs, last: Stage, out: &mut dyn Write) -> Result<()> {
    execute(args, last, if args.force { Existing::Replace } else { Existing::Continue }, out)
}

fn execute(args: &RunArgs, last: Stage, existing: Existing, out: &mut dyn Write) -> Result<()> {
    let device = args.device.unwrap_or(DeviceKind::Cpu).open()?;
    let config = settings(args)?;
    config.compute.validate_on(&device).map_err(|error| WrongRequest::new(error.to_string()))?;
    let folder = Path::new("runs").join(run_name(args, &config)?);
    if args.resume && !folder.exists() {
        return Err(WrongRequest::new(format!("there is no run {} to resume", folder.display())).into());
    }
    let mut run = Run::open(&folder, config, device, existing)?;
    refuse_other_settings(args, run.config())?;
    writeln!(out, "run {} (corpus {}, seed {})", folder.display(), run.config().corpus, run.config().seed)?;
    let mut total_s = 0.0;
    run_until(&mut run, last, &mut |stage, seconds, words| {
        total_s += seconds;
        writeln!(out, "\n== {} ({seconds:.1} s)\n{words}", stage.name())?;
        Ok(())
    })?;
    writeln!(out, "\nfinished in {total_s:.0} s: {}", folder.display())?;
    if last == Stage::Report {
        writeln!(out, "  open  {}", run.path("report.html").display())?;
        let model = run.path(dpo::MODEL_FOLDER);
        if run.config().corpus.has_lessons() {
            writeln!(out, "  talk  llm chat --model {}", model.display())?;
        } else {
            writeln!(out, "  try   llm generate --model {} --prompt \"How a text begins\"", model.display())?;
        }
    } else if let Some(name) = folder.file_name() {
        writeln!(out, "  next  llm run --resume --name {}", name.display())?;
    }
    if args.json {
        writeln!(out, "{}", summary::summary(&run)?)?;
    }
    Ok(())
}

/// The settings that the arguments ask for.
fn settings(args: &RunArgs) -> Result<RunConfig> {
    let mut config = match (&args.config, &args.preset, &args.corpus) {
        (Some(file), ..) => {
            let text = std::fs::read_to_string(file)
                .map_err(|error| WrongRequest::new(format!("cannot read {}: {error}", file.display())))?;
            RunConfig::parse(&text)?
        }
        (None, Some(preset), None) if wants_own_corpus(preset) && !args.resume => {
            let config = RunConfig::preset(preset)?;
            let n_tokens = config.pretrain.tokens_per_step() * config.pretrain.train.steps;
            let billions = n_tokens as f64 / 1e9;
            let message = format!(
                "preset {preset} reads {billions:.1} billion tokens of text of your own: give --corpus PATH; llm plan --preset {preset} says what it takes"
            );
            return Err(WrongRequest::new(message).into());
        }
        (None, Some(preset), _) => RunConfig::preset(preset)?,
        (None, None, None | Some(CorpusSource::World)) => RunConfig::preset("world")?,
        (None, None, Some(_)) => RunConfig::preset("small")?,
    };
    if let Some(corpus) = &args.corpus {
        config.corpus = corpus.clone();
    }
    if let Some(seed) = args.seed {
        config.seed = seed;
    }
    config.minutes = args.minutes.or(config.minutes);
    config.compute.ops = args.ops.unwrap_or(config.compute.ops);
    config.compute.precision = args.precision.unwrap_or(config.compute.precision);
    config.compute.recompute |= args.recompute;
    Ok(config.filled_in()?)
}

/// The run's name: given, or made of corpus, preset and seed.
fn run_name(args: &RunArgs, config: &RunConfig) -> Result<String> {
    let Some(name) = &args.name else {
        let corpus = config.corpus.short_name();
        let preset = args.preset.iter().filter(|preset| **preset != corpus).map(|preset| format!("-{preset}"));
        let seed = if config.seed == 0 { String::new() } else { format!("-seed{}", config.seed) };
        return Ok(format!("{corpus}{}{seed}", preset.collect::<String>()));
    };
    let is_plain =
        !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c)) && !name.starts_with('.');
    if !is_plain {
        let message = format!("--name {name:?} must be letters, digits, '-', '_' and '.', as it becomes a folder");
        return Err(WrongRequest::new(message).into());
    }
    Ok(name.clone())
}

/// A continued run keeps its settings; arguments that ask for others are not ignored in silence.
fn refuse_other_settings(args: &RunArgs, found: &RunConfig) -> Result<()> {
    let refuse = |argument: &str, found: String| {
        let message = format!("{argument} differs from the run's {found}; leave it out, or choose another --name");
        Err(WrongRequest::new(message).into())
    };
    if let Some(seed) = args.seed.filter(|seed| *seed != found.seed) {
        return refuse(&format!("--seed {seed}"), found.seed.to_string());
    }
    if let Some(corpus) = args.corpus.as_ref().filter(|corpus| **corpus != found.corpus) {
        return refuse(&format!("--corpus {corpus}"), found.corpus.to_string());
    }
    if let Some(minutes) = args.minutes.filter(|minutes| Some(*minutes) != found.minutes) {
        return refuse(
            &format!("--minutes {minutes}"),
            found.minutes.map_or("own steps".into(), |own| own.to_string()),
        );
    }
    let own = found.compute;
    if let Some(ops) = args.ops.filter(|ops| *ops != own.ops) {
        return refuse(&format!("--ops {}", name_of(&ops)), name_of(&own.ops));
    }
    if let Some(precision) = args.precision.filter(|precision| *precision != own.precision) {
        return refuse(&format!("--precision {}", name_of(&precision)), name_of(&own.precision));
    }
    if args.recompute && !own.recompute {
        return refuse("--recompute", "kept activations".to_string());
    }
    let argument = match (&args.preset, &args.config) {
        (Some(preset), _) => format!("--preset {preset}"),
        (_, Some(file)) => format!("--config {}", file.display()),
        (None, None) => return Ok(()),
    };
    // What the arguments leave open is as the run has it.
    let (corpus, seed, minutes) = (Some(found.corpus.clone()), Some(found.seed), found.minutes);
    let (ops, precision, recompute) = (Some(own.ops), Some(own.precision), own.recompute);
    let asked = settings(&RunArgs { corpus, seed, minutes, ops, precision, recompute, ..args.clone() })?;
    if found.may_come_from(&asked) { Ok(()) } else { refuse(&argument, "run.toml".to_string()) }
}

/// A value as the command line spells it.
fn name_of(value: &impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(corpus: Option<&str>, preset: &str, seed: u64) -> String {
        let corpus = corpus.map(|corpus| CorpusSource::from(corpus.to_string()));
        let args = RunArgs { corpus, preset: Some(preset.to_string()), seed: Some(seed), ..RunArgs::default() };
        run_name(&args, &settings(&args).unwrap()).unwrap()
    }

    #[test]
    fn a_run_is_named_for_corpus_preset_and_seed() {
        assert_eq!(name(None, "world", 0), "world");
        assert_eq!(name(None, "micro", 2), "world-micro-seed2");
        assert_eq!(name(Some("my notes/"), "small", 0), "my-notes-small");
        assert!(!name(Some("."), "small", 0).starts_with('.'));
    }

    #[test]
    fn a_stage_is_spelled_as_its_result_s_file() {
        for stage in Stage::ALL {
            assert_eq!(name_of(&stage), stage.name());
        }
    }

    #[test]
    fn a_continued_run_refuses_other_settings() {
        let started = RunArgs { preset: Some("small".into()), minutes: Some(8.0), ..RunArgs::default() };
        let mut found = settings(&started).unwrap();
        // As the run's own stages change them.
        (found.pretrain.train.steps, found.pretrain.train.schedule.warmup_steps) = (321, 7);
        (found.tokenizer.vocab_size, found.model.vocab_size) = (4000, 4000);
        let refusal = |args: &RunArgs| refuse_other_settings(args, &found).map_err(|error| error.to_string());
        assert_eq!(refusal(&started), Ok(()));
        assert_eq!(refusal(&RunArgs::default()), Ok(()));
        assert_eq!(refusal(&RunArgs { minutes: None, ..started.clone() }), Ok(()));
        for (args, expected) in [
            (RunArgs { minutes: Some(9.0), ..started.clone() }, "--minutes 9 differs from the run's 8"),
            (RunArgs { seed: Some(1), ..started.clone() }, "--seed 1 differs from the run's 0"),
            (RunArgs { corpus: Some(CorpusSource::RustDocs), ..started.clone() }, "--corpus rust-docs differs"),
            (RunArgs { preset: Some("micro".into()), ..started.clone() }, "--preset micro differs"),
        ] {
            let message = refusal(&args).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }
}
