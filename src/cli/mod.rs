//! The command line, one file a command. Exit code 0: done; 1: failed; 2: a wrong request; 3: other shards of a
//! job have work left.

mod bench;
mod chapter;
mod chat;
mod corpus;
mod doctor;
mod eval;
mod exercises;
mod export;
mod files;
mod generate;
mod ids;
mod import;
mod inspect;
mod model;
mod numbers;
mod plan;
mod pretrain;
mod run;
mod texts;
mod tokenizer;

use std::process::ExitCode;

use ::corpus::job::JobError;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use llm_from_scratch::request::WrongRequest;
use llm_from_scratch::run::Stage;

/// Build a large language model from scratch: from web pages to a chat model.
#[derive(Debug, Parser)]
#[command(version, about, after_help = "Without a command: llm run\nExample: llm run --preset micro --name try")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything: web pages to a chat model, in runs/NAME
    Run(run::WholeRunArgs),
    /// Raw pages to clean documents, or a look at what became of them
    Corpus(corpus::CorpusArgs),
    /// Train a vocabulary, or encode and decode with one
    Tokenizer(tokenizer::TokenizerArgs),
    /// Everything up to a pretrained model
    Pretrain(pretrain::PretrainArgs),
    /// Score a model on text, or a run's model on its facts
    Eval(eval::EvalArgs),
    /// Everything up to a finetuned model
    Sft(run::RunArgs),
    /// Everything up to a preference-tuned model
    Dpo(run::RunArgs),
    /// Continue a text
    Generate(generate::GenerateArgs),
    /// Talk to a model
    Chat(chat::ChatArgs),
    /// A model folder out of a GGUF file or another folder
    Import(import::ImportArgs),
    /// A GGUF file or a folder out of a model
    Export(export::ExportArgs),
    /// Run a chapter's experiment, or list the chapters
    Chapter(chapter::ChapterArgs),
    /// Work through the book's exercises
    Exercises(exercises::ExercisesArgs),
    /// Attention maps, the logit lens and neighbours of tokens, as a page
    Inspect(inspect::InspectArgs),
    /// What a model is and costs, and what it says next
    Model(model::ModelArgs),
    /// Memory, hours and loss of a preset's pretraining, before it is run
    Plan(plan::PlanArgs),
    /// Time training, operations and generation on this machine
    Bench(bench::BenchArgs),
    /// What this machine can do
    Doctor(doctor::DoctorArgs),
}

/// Parses the arguments, runs the command and turns its outcome into an exit code.
pub(crate) fn main() -> ExitCode {
    let matches = numbers::with_numbers(Cli::command()).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let out = &mut std::io::stdout().lock();
    let outcome = match cli.command.unwrap_or_else(|| Command::Run(run::WholeRunArgs::default())) {
        Command::Run(args) => run::run(&args, out),
        Command::Corpus(args) => corpus::run(&args, out),
        Command::Tokenizer(args) => tokenizer::run(&args, out),
        Command::Pretrain(args) => pretrain::run(&args, out),
        Command::Eval(args) => eval::run(&args, out),
        Command::Sft(args) => run::run_stage(&args, Stage::Sft, out),
        Command::Dpo(args) => run::run_stage(&args, Stage::Dpo, out),
        Command::Generate(args) => generate::run(&args, out),
        Command::Chat(args) => chat::run(&args, out),
        Command::Import(args) => import::run(&args, out),
        Command::Export(args) => export::run(&args, out),
        Command::Chapter(args) => chapter::run(&args, out),
        Command::Exercises(args) => exercises::run(&args, out),
        Command::Inspect(args) => inspect::run(&args, out),
        Command::Model(args) => model::run(&args, out),
        Command::Plan(args) => plan::run(&args, out),
        Command::Bench(args) => bench::run(&args, out),
        Command::Doctor(args) => doctor::run(&args, out),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", words(&error));
            let is_wrong_request =
                error.chain().any(|cause| cause.is::<WrongRequest>() || cause.is::<exercises::UnknownExercise>());
            let is_unfinished = error.chain().any(|cause| {
                matches!(cause.downcast_ref::<JobError>(), Some(JobError::Waiting { .. } | JobError::Silent { .. }))
            });
            ExitCode::from(match (is_wrong_request, is_unfinished) {
                (true, _) => 2,
                (_, true) => 3,
                _ => 1,
            })
        }
    }
}

/// The reader of a pipe (`llm ... | head`) may leave whenever it likes.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

/// The chain of causes in one line. With RUST_BACKTRACE set, candle appends a backtrace to its messages, which is left out here.
fn words(error: &anyhow::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        let text = text.split("\n   0: ").next().unwrap_or_default().trim().to_string();
        // Some errors repeat their cause in their own message.
        if !parts.last().is_some_and(|last| last.ends_with(&text)) {
            parts.push(text);
        }
    }
    parts.join(": ")
}
