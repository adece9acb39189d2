//! `llm corpus mix`: documents of several sources in one order, by weights, with limits and stages.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use corpus::mixture::{MixError, Mixed, Mixing, MixtureConfig, Plan};
use corpus::{Card, CardSource};
use llm_from_scratch::progress;
use llm_from_scratch::request::WrongRequest;

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  llm corpus mix --config mix.toml --out mix\n  llm run --corpus mix --until shards\n\nmix.toml:\n  total_bytes = 2000000000\n  seed = 1\n  [[sources]]\n  name = \"web\"\n  path = \"clean\"            # the folder of llm corpus build --out, or a file or folder of JSON lines\n  weight = 3\n  [[sources]]\n  name = \"books\"\n  path = \"books.jsonl\"\n  weight = 1\n  max_epochs = 4            # read that often at most [default: 4]\n  [[stages]]                # none: one stage with the weights above\n  share = 9\n  [[stages]]\n  share = 1\n  weights = { books = 1 }\n\nThe folder appears when it is whole. Killed before, the same command begins anew."
)]
pub(super) struct MixArgs {
    /// The mixture's settings
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The mixture's folder: train/, held_out/, mixture.json, card.md, card.json
    #[arg(long, value_name = "DIR", required_unless_present = "plan")]
    out: Option<PathBuf>,
    /// Say how much of each source there would be, and stop
    #[arg(long)]
    plan: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &MixArgs, out: &mut dyn Write) -> Result<()> {
    let config = settings(&args.config)?;
    let Some(target) = args.out.as_ref().filter(|_| !args.plan) else {
        return super::print(&Plan::of(&config).map_err(in_words)?, args.json, out);
    };
    let mixing = Mixing::begin(target).map_err(in_words)?;
    let bar = progress::bar("mixing", config.total_bytes);
    let mixed = mixing.write(&config, &|done, _| bar.set_position(done));
    bar.finish_and_clear();
    let mixed = mixed.map_err(in_words)?;
    let card = card(target, &mixed);
    card.write(mixing.folder()).with_context(|| format!("cannot write the data card of {}", target.display()))?;
    mixing.finish()?;
    super::print(&mixed, args.json, out)
}

fn settings(file: &Path) -> Result<MixtureConfig> {
    let wrong = |what: String| WrongRequest::new(format!("{}: {what}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    Ok(toml::from_str(&text).map_err(|error| wrong(error.to_string()))?)
}

fn in_words(error: MixError) -> anyhow::Error {
    if error.is_wrong_request() { WrongRequest::new(error.to_string()).into() } else { error.into() }
}

/// What is known of the mixture, for those who meet it later.
fn card(folder: &Path, mixed: &Mixed) -> Card {
    let source = |i: usize| CardSource {
        name: mixed.plan.sources[i].clone(),
        origin: mixed.settings.sources[i].path.display().to_string(),
        licence: String::new(),
        n_documents: mixed.source_documents[i],
        n_bytes: mixed.plan.source_bytes[i],
    };
    Card {
        name: folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned(),
        description: "A mixture of other corpora, whose own cards say how they were cleaned.".to_string(),
        date: time::OffsetDateTime::now_utc().date().to_string(),
        versions: [("llm".to_string(), env!("CARGO_PKG_VERSION").to_string())].into(),
        sources: (0..mixed.plan.sources.len()).map(source).collect(),
        n_training: mixed.n_training as usize,
        training_bytes: mixed.training_bytes,
        n_held_out: mixed.n_held_out,
        n_unreadable: mixed.n_unreadable,
        mixture: Some(mixed.clone()),
        ..Card::default()
    }
}
