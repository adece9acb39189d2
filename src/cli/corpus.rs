//! `llm corpus build|extract|report`.

mod extract;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use candle_core::Device;
use clap::{Args, Subcommand};
use llm_from_scratch::run::{Run, Stage};
use llm_from_scratch::stages::corpus::CorpusReport;

use super::run::{RunArgs, run_stage};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  llm corpus build --corpus my-pages/ --name pages\n  llm corpus report --run runs/pages"
)]
pub(crate) struct CorpusArgs {
    #[command(subcommand)]
    command: CorpusCommand,
}

#[derive(Debug, Subcommand)]
enum CorpusCommand {
    /// Clean raw pages; the documents go to runs/NAME/corpus
    Build(RunArgs),
    /// The main text of one page of HTML
    Extract(extract::ExtractArgs),
    /// What each stage kept and dropped
    Report {
        /// The run's folder
        #[arg(long, value_name = "DIR")]
        run: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(args: &CorpusArgs, out: &mut dyn Write) -> Result<()> {
    match &args.command {
        CorpusCommand::Build(args) => run_stage(args, Stage::Corpus, out),
        CorpusCommand::Extract(args) => extract::run(args, out),
        CorpusCommand::Report { run, json } => {
            let report: CorpusReport = Run::existing(run, Device::Cpu)?.result(Stage::Corpus)?;
            if *json {
                writeln!(out, "{}", serde_json::to_string(&report)?)?;
            } else {
                writeln!(out, "{report}")?;
            }
            Ok(())
        }
    }
}
