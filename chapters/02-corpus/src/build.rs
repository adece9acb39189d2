//! The corpus of an invented world, from its crawl to its scores.

use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::extraction::extract_warc;
use crate::pipeline::{Cleaned, PipelineConfig, Progress, Stage, clean};
use crate::score::{Scores, score_extraction, score_stages};
use crate::truth::Truth;
use crate::world::World;

/// What became of a world's crawl.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorldCorpus {
    /// The clean documents, the funnel (extraction first) and all decisions.
    pub cleaned: Cleaned,
    /// Precision and recall of every stage.
    pub scores: Scores,
    /// What was true of the crawl.
    pub truth: Truth,
}

/// Writes the world's crawl to `warc`, reads it back, cleans it, and scores every stage.
///
/// # Errors
/// The file cannot be written or read back whole, or a setting is outside its range.
pub fn build_world(world: &World, config: &PipelineConfig, warc: &Path, progress: Progress) -> Result<WorldCorpus> {
    let truth = world.write_warc(warc).with_context(|| format!("cannot write {}", warc.display()))?;
    let extracted = extract_warc(warc, &|stage, done, _| progress(stage, done, truth.pages.len()))
        .with_context(|| format!("cannot read {}", warc.display()))?;
    if let Some(problem) = extracted.problems.first() {
        anyhow::bail!("the crawl was damaged on disk: {problem}; is the disk full?");
    }
    let extraction = score_extraction(&truth, &extracted.documents);
    let mut cleaned = clean(extracted.documents, config, &world.test_items(), progress)?;
    let mut scores = score_stages(&truth, &cleaned);
    cleaned.funnel.stages.insert(0, extracted.report);
    scores.0.insert(Stage::Extraction, extraction);
    Ok(WorldCorpus { cleaned, scores, truth })
}
