//! The data card: what is in a corpus and how it came to be, as a page for people and as JSON for programs.
//!
//! A corpus outlives the memory of those who made it. A year later somebody asks whether a model has read a source, a
//! licence or an exam, and only what was written down then can answer (Gebru et al., *Datasheets for Datasets*,
//! arXiv:1803.09010). So everything that the stages counted goes into one record: sources, funnel, what each rule rejected with
//! samples, which exam questions were found, the mixture, all settings, versions and the date.
//!
//! Samples are shortened and without personal data ([`crate::rule_table`]). The date is given by the caller, so that the
//! same run gives the same card.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::atomic_file::AtomicFile;
use crate::contamination::ContaminationReport;
use crate::decontaminate::TestItem;
use crate::funnel::Funnel;
use crate::mixture::Mixed;
use crate::pipeline::PipelineConfig;
use crate::rule_table::{RuleTable, shortened};

/// The page for people.
pub const CARD_PAGE: &str = "card.md";
/// The record for programs.
pub const CARD_RECORD: &str = "card.json";

/// Where documents came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardSource {
    /// A name for people.
    pub name: String,
    /// Where it was read: a path, an address.
    pub origin: String,
    /// Its licence as far as known; empty if unknown.
    pub licence: String,
    /// Documents read.
    pub n_documents: usize,
    /// Bytes read.
    pub n_bytes: u64,
}

// ANCHOR: card
/// Everything that is known of a corpus.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// The corpus' name.
    pub name: String,
    /// What it is for, in a sentence or two.
    pub description: String,
    /// When it was made, as `2026-01-31`.
    pub date: String,
    /// Programs and their versions.
    pub versions: BTreeMap<String, String>,
    /// Where it came from.
    pub sources: Vec<CardSource>,
    /// Documents for training.
    pub n_training: usize,
    /// Bytes of their text.
    pub training_bytes: u64,
    /// Documents held out.
    pub n_held_out: usize,
    /// Records that could not be read.
    pub n_unreadable: usize,
    /// Documents and bytes through the stages.
    pub funnel: Funnel,
    /// Which rule rejected what, with samples.
    pub rules: RuleTable,
    /// The exam's questions on its pages, if an exam was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contamination: Option<ContaminationReport>,
    /// The exam: the page shows how the found questions begin, the record leaves them out.
    #[serde(skip)]
    pub exam: Vec<TestItem>,
    /// How much of which source, if sources were mixed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mixture: Option<Mixed>,
    /// The settings of all stages, if there were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<PipelineConfig>,
}
// ANCHOR_END: card

impl Card {
    /// Writes `card.md` and `card.json` into a folder, each whole or not at all.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let record = serde_json::to_string_pretty(self)?;
        for (name, text) in [(CARD_PAGE, self.to_string()), (CARD_RECORD, record + "\n")] {
            let mut file = AtomicFile::create(&folder.join(name))?;
            file.write_all(text.as_bytes())?;
            file.finish()?;
        }
        Ok(())
    }

    fn sources(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "## Sources\n\n| source | origin | licence | documents | MB |\n|---|---|---|---:|---:|")?;
        for s in &self.sources {
            let licence = if s.licence.is_empty() { "unknown" } else { &s.licence };
            let megabytes = s.n_bytes as f64 / 1e6;
            let [name, origin, licence] = [&s.name, &s.origin, licence].map(cell);
            writeln!(f, "| {name} | {origin} | {licence} | {} | {megabytes:.1} |", s.n_documents)?;
        }
        writeln!(f)
    }

    fn samples(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "## What each rule rejected\n\n| stage | rule | rejected | share |\n|---|---|---:|---:|")?;
        for row in &self.rules.rows {
            let percent = 100.0 * row.n_rejected as f64 / self.rules.n_judged.max(1) as f64;
            writeln!(f, "| {} | {} | {} | {percent:.2}% |", row.stage.name(), cell(&row.rule), row.n_rejected)?;
        }
        writeln!(f, "\nSamples, shortened, without personal data:\n")?;
        for row in &self.rules.rows {
            for sample in &row.samples {
                // Masked once more: a card may be filled from a record that somebody edited.
                let text = shortened(&sample.text);
                writeln!(f, "- **{}**, {}: {}", cell(&row.rule), cell(&sample.id), cell(&text))?;
            }
        }
        writeln!(f)
    }
}

/// The page, in Markdown.
impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (description, megabytes) = (self.description.trim(), self.training_bytes as f64 / 1e6);
        writeln!(f, "# {}\n\n{description}\n", self.name)?;
        let versions: Vec<String> = self.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        writeln!(f, "Made on {} with {}.\n", self.date, versions.join(", "))?;
        writeln!(f, "{} documents ({megabytes:.1} MB) for training, {} held out.", self.n_training, self.n_held_out)?;
        writeln!(f, "{} records could not be read.\n", self.n_unreadable)?;
        self.sources(f)?;
        if !self.funnel.stages.is_empty() {
            writeln!(f, "## The funnel\n\n{}", fenced(&self.funnel.to_string(), "text")?)?;
            self.samples(f)?;
        }
        if let Some(report) = &self.contamination {
            let table = report.table(&self.exam).to_string();
            writeln!(f, "## Exam questions found\n\n{}", fenced(&table, "text")?)?;
        }
        if let Some(mixed) = &self.mixture {
            writeln!(f, "## Mixture\n\n{}", fenced(&mixed.to_string(), "text")?)?;
            settings(f, "Settings of the mixture", &mixed.settings)?;
        }
        self.settings.as_ref().map_or(Ok(()), |stages| settings(f, "Settings", stages))
    }
}

fn settings(f: &mut fmt::Formatter, title: &str, settings: &impl Serialize) -> fmt::Result {
    let settings = serde_json::to_string_pretty(settings).map_err(|_| fmt::Error)?;
    writeln!(f, "## {title}\n\n{}", fenced(&settings, "json")?)
}

fn fenced(text: &str, language: &str) -> Result<String, fmt::Error> {
    let mut block = String::new();
    writeln!(block, "````{language}\n{}\n````", text.trim_end().replace("````", "'''' "))?;
    Ok(block)
}

/// Text that cannot end its table cell or begin markup.
fn cell(text: impl AsRef<str>) -> String {
    let mut safe = String::new();
    for c in text.as_ref().chars() {
        match c {
            '|' | '*' | '_' | '`' | '[' | ']' | '<' | '>' | '#' | '\\' => safe.extend(['\\', c]),
            c if c.is_whitespace() || c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}
