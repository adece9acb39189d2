//! Stage 1: raw pages to clean documents, in `corpus/`.

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use corpus::job::read_report;
use corpus::mixture::MIXTURE_RECORD;
use corpus::pipeline::Stage as PipelineStage;
use corpus::read::list;
use corpus::rustdoc::RustDocs;
use corpus::split::HELD_OUT_SHARE;
use corpus::{
    Cleaned, Document, Funnel, PipelineConfig, Scores, World, build_world, clean, read_folder, read_jsonl, split,
    write_jsonl,
};
use serde::{Deserialize, Serialize};

use crate::corpus_source::CorpusSource;
use crate::progress;
use crate::run::Run;

/// What became of the raw pages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CorpusReport {
    /// Documents and bytes through the stages.
    pub funnel: Funnel,
    /// Precision and recall of each stage, where the truth is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scores: Option<Scores>,
    /// Documents for training.
    pub n_training: usize,
    /// Documents held out.
    pub n_held_out: usize,
    /// Bytes of the training documents.
    pub training_bytes: usize,
    /// What was read before the funnel, in words; empty for the world.
    pub source: String,
    /// Records and lines that could not be read, the first of them with file and offset.
    pub skipped: Vec<String>,
}

/// The clean documents for training.
pub const TRAINING_FILE: &str = "corpus/training.jsonl";
/// The clean documents for measuring.
pub const HELD_OUT_FILE: &str = "corpus/held_out.jsonl";

/// Builds the corpus that the settings name.
///
/// # Errors
/// If there is nothing to read, or nothing is left after cleaning.
pub fn build(run: &mut Run) -> Result<CorpusReport> {
    std::fs::create_dir_all(run.path("corpus"))?;
    let config = run.config();
    if let CorpusSource::Path(path) = &config.corpus
        && let Some(funnel) = finished(path)?
    {
        return take_over(run, path, funnel);
    }
    let (cleaned, scores, source, skipped) = match &config.corpus {
        CorpusSource::World => {
            let (cleaned, scores) = from_world(run)?;
            (cleaned, Some(scores), String::new(), Vec::new())
        }
        CorpusSource::RustDocs => {
            let (documents, source) = from_rust_docs()?;
            (cleaned_documents(documents, &config.pipeline)?, None, source, Vec::new())
        }
        CorpusSource::Path(path) => {
            let (documents, source, skipped) = from_folder(path)?;
            (cleaned_documents(documents, &config.pipeline)?, None, source, skipped)
        }
    };
    let name = &config.corpus;
    if cleaned.documents.is_empty() {
        bail!("no document of {name} is left after cleaning:\n{}", cleaned.funnel);
    }
    let parts = split(cleaned.documents, HELD_OUT_SHARE);
    if parts.held_out.is_empty() || parts.training.is_empty() {
        bail!(
            "{} documents are not enough: some are for training and some for measuring; add more to {name}, or loosen what dropped the others:\n{}",
            parts.held_out.len() + parts.training.len(),
            cleaned.funnel
        );
    }
    write_jsonl(&run.path(TRAINING_FILE), &parts.training)?;
    write_jsonl(&run.path(HELD_OUT_FILE), &parts.held_out)?;
    Ok(CorpusReport {
        funnel: cleaned.funnel,
        scores,
        n_training: parts.training.len(),
        n_held_out: parts.held_out.len(),
        training_bytes: parts.training.iter().map(|document| document.text.len()).sum(),
        source,
        skipped,
    })
}

/// The funnel of a folder that `llm corpus build --out` or `llm corpus mix` has made; a mixture has an empty one.
fn finished(folder: &Path) -> Result<Option<Funnel>> {
    if folder.join("manifest.json").exists() && folder.join("tasks").is_dir() {
        return Ok(Some(read_report(folder)?.funnel));
    }
    Ok(folder.join(MIXTURE_RECORD).exists().then(Funnel::default))
}

/// Takes clean documents as they are and in their order: cleaned again, a mixture would lose what it repeats.
fn take_over(run: &Run, folder: &Path, funnel: Funnel) -> Result<CorpusReport> {
    let read = |name: &str| -> Result<Vec<Document>> {
        let files = list(&[folder.join(name)])?.files;
        let documents = files.iter().map(|file| Ok(read_jsonl(&file.path)?.documents));
        Ok(documents.collect::<Result<Vec<_>>>()?.concat())
    };
    let (training, held_out) = (read("train")?, read("held_out")?);
    if held_out.is_empty() || training.is_empty() {
        bail!(
            "{} has {} documents for training and {} held out; a run needs some of each",
            folder.display(),
            training.len(),
            held_out.len()
        );
    }
    write_jsonl(&run.path(TRAINING_FILE), &training)?;
    write_jsonl(&run.path(HELD_OUT_FILE), &held_out)?;
    Ok(CorpusReport {
        funnel,
        scores: None,
        n_training: training.len(),
        n_held_out: held_out.len(),
        training_bytes: training.iter().map(|document| document.text.len()).sum(),
        source: format!("{} taken as it is: it is clean", folder.display()),
        skipped: Vec::new(),
    })
}

/// The synthetic world of a run.
///
/// # Errors
/// If the world's settings cannot be.
pub fn world(run: &Run) -> Result<World> {
    Ok(World::generate(&run.config().world)?)
}

/// The first texts that together reach `max_bytes`, or all: at least one, however long it is.
pub fn first_texts(documents: &[Document], max_bytes: usize) -> Vec<&str> {
    let mut n_bytes = 0;
    let texts = documents.iter().map(|document| document.text.as_str()).filter(|text| !text.is_empty());
    let is_within = |text: &&str| {
        let is_within = n_bytes < max_bytes;
        n_bytes += text.len();
        is_within
    };
    texts.take_while(is_within).collect()
}

fn from_world(run: &Run) -> Result<(Cleaned, Scores)> {
    let world = world(run)?;
    let warc = run.path("corpus/crawl.warc");
    let corpus = with_progress(|progress| build_world(&world, &run.config().pipeline, &warc, progress))?;
    Ok((corpus.cleaned, corpus.scores))
}

fn from_rust_docs() -> Result<(Vec<Document>, String)> {
    let root = RustDocs::locate()?;
    let docs = RustDocs::open(&root)?;
    let bar = progress::bar("rust-docs", docs.n_files() as u64);
    let mut pages = docs.pages();
    let documents: Vec<Document> = pages.by_ref().inspect(|_| bar.inc(1)).collect();
    bar.finish_and_clear();
    let census = pages.census();
    let source = format!(
        "{} files, {:.1} MB of HTML: {} redirects and {} empty pages skipped, {} pages with {:.1} MB of text",
        census.n_files,
        census.html_bytes as f64 / 1e6,
        census.n_redirects,
        census.n_empty,
        census.n_documents,
        census.text_bytes as f64 / 1e6
    );
    Ok((documents, source))
}

fn from_folder(path: &Path) -> Result<(Vec<Document>, String, Vec<String>)> {
    let reading = read_folder(path)?;
    let mut skipped: Vec<String> = reading.skipped.first.iter().map(ToString::to_string).collect();
    if reading.skipped.count > skipped.len() {
        skipped.push(format!("and {} more", reading.skipped.count - skipped.len()));
    }
    let source = format!("{} documents read, {} records skipped", reading.documents.len(), reading.skipped.count);
    Ok((reading.documents, source, skipped))
}

fn cleaned_documents(documents: Vec<Document>, config: &PipelineConfig) -> Result<Cleaned> {
    with_progress(|progress| clean(documents, config, &[], progress).context("cannot clean the documents"))
}

/// Shows a bar that follows whatever stage of the pipeline is at work.
fn with_progress<T>(work: impl FnOnce(corpus::Progress) -> Result<T>) -> Result<T> {
    let bar = progress::bar("corpus", 0);
    let outcome = work(&|stage: PipelineStage, done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
        bar.set_message(stage.name());
    });
    bar.finish_and_clear();
    outcome
}

impl fmt::Display for CorpusReport {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if !self.source.is_empty() {
            writeln!(f, "{}", self.source)?;
        }
        for problem in self.skipped.iter().take(5) {
            writeln!(f, "skipped: {problem}")?;
        }
        if !self.funnel.stages.is_empty() {
            write!(f, "{}", self.funnel)?;
        }
        if let Some(scores) = &self.scores {
            write!(f, "\n{scores}")?;
        }
        let megabytes = self.training_bytes as f64 / 1e6;
        write!(f, "\n{} documents ({megabytes:.1} MB) for training, {} held out", self.n_training, self.n_held_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_texts_reach_the_limit_with_one_document_at_least() {
        let documents = ["aaaa", "", "bb", "c"].map(|text| Document::new("", "", text));
        assert_eq!(first_texts(&documents, 1), ["aaaa"]);
        assert_eq!(first_texts(&documents, 5), ["aaaa", "bb"]);
        assert_eq!(first_texts(&documents, 100), ["aaaa", "bb", "c"]);
    }
}
