//! `llm corpus build|dedup|extract|mix|report`.

mod build;
mod dedup;
mod extract;
mod mix;
mod sources;

use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use candle_core::Device;
use clap::{Args, Subcommand};
use corpus::job::read_report;
use llm_from_scratch::request::WrongRequest;
use llm_from_scratch::run::{Run, Stage};
use llm_from_scratch::stages::corpus::CorpusReport;
use serde::Serialize;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  llm corpus build --input crawl/ --out clean\n  llm corpus report clean\n  llm corpus dedup --input pages.jsonl --out unique.jsonl\n  llm corpus mix --config mix.toml --out mix\n  llm corpus report --run runs/pages"
)]
pub(crate) struct CorpusArgs {
    #[command(subcommand)]
    command: CorpusCommand,
}

// Parsed once a process: the size of a variant does not matter.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Subcommand)]
enum CorpusCommand {
    /// Clean raw pages into a folder, sharded and restartable; or for a run, into runs/NAME/corpus
    Build(build::BuildArgs),
    /// Remove copies and near copies from a JSONL file
    Dedup(dedup::DedupArgs),
    /// The main text of one page of HTML
    Extract(extract::ExtractArgs),
    /// Mix sources by weights, with limits and stages
    Mix(mix::MixArgs),
    /// What each stage kept and dropped
    #[command(after_help = "Examples:\n  llm corpus report clean\n  llm corpus report --run runs/pages --json")]
    Report {
        /// The folder of a job (llm corpus build --out DIR)
        #[arg(value_name = "DIR", conflicts_with = "run", required_unless_present = "run")]
        folder: Option<PathBuf>,
        /// The folder of a run
        #[arg(long, value_name = "DIR")]
        run: Option<PathBuf>,
        /// Print which rule rejected what, with samples
        #[arg(long, conflicts_with = "run")]
        rules: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(args: &CorpusArgs, out: &mut dyn Write) -> Result<()> {
    match &args.command {
        CorpusCommand::Build(args) => build::run(args, out),
        CorpusCommand::Dedup(args) => dedup::run(args, out),
        CorpusCommand::Extract(args) => extract::run(args, out),
        CorpusCommand::Mix(args) => mix::run(args, out),
        CorpusCommand::Report { folder: Some(folder), rules, json, .. } => {
            if !folder.join("manifest.json").exists() {
                let message = format!("{} is no folder that llm corpus build --out has made", folder.display());
                return Err(WrongRequest::new(message).into());
            }
            let report = read_report(folder)?;
            if *rules { print(&report.rules, *json, out) } else { print(&report, *json, out) }
        }
        CorpusCommand::Report { run, json, .. } => {
            let Some(run) = run else { return Err(WrongRequest::new("give a folder, or --run DIR").into()) };
            let report: CorpusReport = Run::existing(run, Device::Cpu)?.result(Stage::Corpus)?;
            print(&report, *json, out)
        }
    }
}

/// A result for people, or as one JSON object.
fn print(result: &(impl Display + Serialize), json: bool, out: &mut dyn Write) -> Result<()> {
    if json {
        writeln!(out, "{}", serde_json::to_string(result)?)?;
    } else {
        writeln!(out, "{result}")?;
    }
    Ok(())
}
