//! `llm corpus build`: with --input a sharded job over any amount of files, without it a run's corpus.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use clap::Args;
use corpus::evaluation_set::read_evaluation_set;
use corpus::job::{Job, JobConfig, JobError, Others, Shard};
use corpus::read::{ReadError, list};
use corpus::{Card, CardSource, JobReport, TestItem};
use llm_from_scratch::progress;
use llm_from_scratch::request::WrongRequest;
use llm_from_scratch::run::Stage;

use super::super::run::{RunArgs, run_stage};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  llm corpus build --input crawl/ --out clean\n  llm corpus build --input a.jsonl --input b.warc.gz --out clean --config clean.toml --workers 8\n  llm corpus build --input crawl/ --out clean --shard $SLURM_ARRAY_TASK_ID/16 --wait\n  llm corpus build --input crawl/ --out clean --plan\n  llm corpus build --input hf:HuggingFaceFW/fineweb-edu/sample/10BT --out clean   (built with --features hub,parquet)\n  llm corpus build --corpus my-pages/ --name pages\n\nA job that was stopped goes on when the same command is given again. Exit code 3: other shards have work left. Exit code 1: something failed, or nothing is left."
)]
pub(super) struct BuildArgs {
    /// A file or folder of pages, or hf:OWNER/NAME, a data set of Hugging Face; may be given several times. The documents go to --out instead of a run
    #[arg(long, value_name = "PATH", requires = "out", conflicts_with_all = ["corpus", "preset", "minutes", "seed", "name", "force", "resume", "device", "ops", "precision", "recompute"])]
    input: Vec<PathBuf>,
    /// The job's folder: train/, held_out/, report.json, card.md, and what is needed to go on
    #[arg(long, value_name = "DIR", requires = "input")]
    out: Option<PathBuf>,
    /// Questions and answers to keep out, as JSON lines {"question", "answer"} or {"text"}
    #[arg(long, value_name = "FILE", requires = "input")]
    exam: Option<PathBuf>,
    /// Threads [default: one a core]
    #[arg(long, value_name = "N", requires = "input", value_parser = clap::value_parser!(u16).range(1..))]
    workers: Option<u16>,
    /// Take every Nth task only, from the Ith (from 0): other processes take the others
    #[arg(long, value_name = "I/N", requires = "input", default_value = "0/1", hide_default_value = true)]
    shard: Shard,
    /// Wait for the other shards between two steps, instead of stopping; one that is silent for so many minutes is given up [default: 10]
    #[arg(long, value_name = "MINUTES", requires = "input", num_args = 0..=1, require_equals = true, default_missing_value = "10", value_parser = minutes)]
    wait: Option<Duration>,
    /// Say how the job would be cut and what it would take, and stop
    #[arg(long, requires = "input")]
    plan: bool,
    #[command(flatten)]
    run: RunArgs,
}

pub(super) fn run(args: &BuildArgs, out: &mut dyn Write) -> Result<()> {
    match &args.out {
        Some(folder) if !args.input.is_empty() => run_job(args, folder, out),
        _ => run_stage(&args.run, Stage::Corpus, out),
    }
}

fn run_job(args: &BuildArgs, folder: &Path, out: &mut dyn Write) -> Result<()> {
    let config = settings(args.run.config.as_deref())?;
    let remote = if args.plan { super::sources::remote(&args.input)? } else { Vec::new() };
    if !remote.is_empty() {
        writeln!(out, "{}\na plan needs the files; without --plan they are fetched", remote.join("\n"))?;
        return Ok(());
    }
    let input = super::sources::on_disk(&args.input)?;
    refuse_output_inside_input(&input, folder)?;
    let listing = list(&input).map_err(|error| match error {
        ReadError::Missing { .. } | ReadError::NoReadableFiles { .. } => WrongRequest::new(error.to_string()).into(),
        other => anyhow::Error::from(other),
    })?;
    let workers = args.workers.map_or_else(rayon::current_num_threads, usize::from);
    if args.plan {
        let plan = corpus::job::plan::Plan::of(&listing.files, &config, workers)?;
        return super::print(&plan, args.run.json, out);
    }
    for skipped in &listing.skipped.first {
        eprintln!("warning: {skipped}");
    }
    let exam = match &args.exam {
        Some(file) => read_evaluation_set(file).map_err(|error| WrongRequest::new(error.to_string()))?,
        None => Vec::new(),
    };
    let input_bytes = listing.files.iter().map(|file| file.n_bytes).sum();
    let others = args.wait.map_or(Others::Leave, Others::Wait);
    let job = Job::open(folder, listing.files, &config, &exam).map_err(in_words)?;
    let bar = progress::bar("corpus", 0);
    let report = job.run(args.shard, workers, others, &|step, done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
        bar.set_message(step.name());
    });
    bar.finish_and_clear();
    let report = report.map_err(in_words)?;
    let card = card(args, folder, &report, input_bytes, config, exam);
    card.write(folder).with_context(|| format!("cannot write the data card to {}", folder.display()))?;
    super::print(&report, args.run.json, out)?;
    if report.n_left() == 0 { Err(nothing_left(&report, folder)) } else { Ok(()) }
}

/// A corpus without documents is a failure: whoever goes on with it should not have to look.
fn nothing_left(report: &JobReport, folder: &Path) -> anyhow::Error {
    let folder = folder.display();
    let n_read = report.funnel.stages.first().map_or(0, |extraction| extraction.documents_in);
    match report.first_reason() {
        Some((stage, reason, n)) => anyhow!(
            "nothing is left of {n_read} documents: {} dropped most, {n} for {reason}; llm corpus report {folder} --rules shows samples, and --config changes the rules",
            stage.name()
        ),
        None => anyhow!(
            "nothing could be read: {} records were skipped; llm corpus report {folder} names the first",
            report.n_skipped
        ),
    }
}

/// Shorter silences are usual: a process says that it is there every two seconds.
fn minutes(text: &str) -> Result<Duration, String> {
    let minutes = text.parse().ok().filter(|minutes| (0.1..=1e6).contains(minutes));
    let minutes: f64 = minutes.ok_or_else(|| format!("{text} is no number of minutes from 0.1 on"))?;
    Ok(Duration::from_secs_f64(60.0 * minutes))
}

/// What is known of the corpus, for those who meet it later.
fn card(
    args: &BuildArgs,
    folder: &Path,
    report: &JobReport,
    input_bytes: u64,
    config: JobConfig,
    exam: Vec<TestItem>,
) -> Card {
    let names: Vec<String> = args.input.iter().map(|path| path.display().to_string()).collect();
    let source = CardSource {
        name: "input".to_string(),
        origin: names.join(", "),
        licence: String::new(),
        n_documents: report.funnel.stages.first().map_or(0, |extraction| extraction.documents_in),
        n_bytes: input_bytes,
    };
    Card {
        name: folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned(),
        date: time::OffsetDateTime::now_utc().date().to_string(),
        versions: [("llm".to_string(), env!("CARGO_PKG_VERSION").to_string())].into(),
        sources: vec![source],
        n_training: report.n_training,
        training_bytes: report.training_bytes as u64,
        n_held_out: report.n_held_out,
        n_unreadable: report.n_skipped,
        funnel: report.funnel.clone(),
        rules: report.rules.clone(),
        contamination: (!exam.is_empty()).then(|| report.contamination.clone()),
        exam,
        settings: Some(config.pipeline),
        ..Card::default()
    }
}

/// A job that cannot be as it was asked for is a wrong request.
fn in_words(error: JobError) -> anyhow::Error {
    match error {
        JobError::Changed { .. } | JobError::Setting(_) => WrongRequest::new(error.to_string()).into(),
        other => other.into(),
    }
}

fn settings(file: Option<&Path>) -> Result<JobConfig> {
    let Some(file) = file else { return Ok(JobConfig::default()) };
    let wrong = |what: String| WrongRequest::new(format!("{}: {what}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    let config: JobConfig = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    config.validate().map_err(|error| wrong(error.to_string()))?;
    Ok(config)
}

/// A job that reads its own output would grow with every start.
fn refuse_output_inside_input(inputs: &[PathBuf], folder: &Path) -> Result<()> {
    let absolute = |path: &Path| std::fs::canonicalize(path).or_else(|_| std::path::absolute(path));
    let out = absolute(folder)?;
    for input in inputs {
        if out.starts_with(absolute(input)?) {
            let message = format!(
                "--out {} lies in --input {}, and would be read as input; choose a folder beside it",
                folder.display(),
                input.display()
            );
            return Err(WrongRequest::new(message).into());
        }
    }
    Ok(())
}
