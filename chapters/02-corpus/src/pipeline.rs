//! The stages in order, and the funnel that they make.
//!
//! ```text
//! WARC -> extraction -> language -> quality -> PII -> exact dedup -> near dedup -> decontamination -> documents
//! ```
//!
//! Cheap filters stand before costly ones, and filters that look at one page before those that compare pages: a page
//! in German need not be compared with anything. PII comes before deduplication, so that pages which differ only
//! in an address are equal; extraction comes first, so that they may differ in their layout.
//!
//! Every stage keeps the order of the documents, and none depends on the number of threads.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::classifier::ClassifierConfig;
use crate::decontaminate::{self, DecontaminateConfig, TestItem};
use crate::document::Document;
use crate::exact_dedup;
use crate::filters::{Filters, Rejection};
pub use crate::funnel::{Funnel, StageReport};
use crate::language::LanguageConfig;
use crate::lines::LinesConfig;
use crate::metadata::MetadataConfig;
use crate::minhash::{self, MinHashConfig};
use crate::paragraph_dedup::{self, ParagraphConfig};
use crate::pii::PiiConfig;
use crate::quality::QualityConfig;
use crate::rule_table::RuleTable;
use crate::setting::InvalidSetting;
pub use crate::stage::Stage;
use crate::substring_dedup::{self, SubstringConfig};
use crate::tally::FilterTally;
use crate::url_block_list::UrlBlockListConfig;

/// The settings of all stages.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PipelineConfig {
    /// Which addresses to refuse; none unless set.
    pub url_block_list: UrlBlockListConfig,
    /// What the page must say of itself; nothing unless set.
    pub metadata: MetadataConfig,
    /// Which language to keep.
    pub language: LanguageConfig,
    /// Which lines to drop from the pages; none unless set.
    pub lines: LinesConfig,
    /// Thresholds of the quality rules.
    pub quality: QualityConfig,
    /// A trained judge of quality, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classifier: Option<ClassifierConfig>,
    /// Placeholders for personal data.
    pub pii: PiiConfig,
    /// Shingles, signature and threshold.
    pub minhash: MinHashConfig,
    /// Whether repeated paragraphs go.
    pub paragraph: ParagraphConfig,
    /// Whether repeated passages go.
    pub substring: SubstringConfig,
    /// How much of an exam item betrays it.
    pub decontaminate: DecontaminateConfig,
}

impl PipelineConfig {
    /// The settings for technical documentation such as Rust's own.
    pub fn documentation() -> Self {
        let language = LanguageConfig { min_confidence: 0.0, min_letters: 200, ..LanguageConfig::default() };
        let minhash = MinHashConfig { min_similarity: 0.8, ..MinHashConfig::default() };
        Self { language, quality: QualityConfig::documentation(), minhash, ..Self::default() }
    }

    /// The files that decide what the stages do, with the names of their settings.
    pub fn files(&self) -> Vec<(&'static str, &Path)> {
        let lists = self.url_block_list.files.iter().map(|file| ("url_block_list.files", file));
        let words = self.quality.word_lists.iter().filter_map(|list| list.file.as_ref());
        let words = words.map(|file| ("quality.word_lists.file", file));
        let model = self.classifier.iter().map(|classifier| ("classifier.model", &classifier.model));
        lists.chain(words).chain(model).map(|(setting, file)| (setting, file.as_path())).collect()
    }

    /// Checks all settings.
    ///
    /// # Errors
    /// The first setting outside its range.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        self.url_block_list.validate()?;
        self.language.validate()?;
        self.quality.validate()?;
        self.classifier.as_ref().map_or(Ok(()), ClassifierConfig::validate)?;
        self.pii.validate()?;
        self.minhash.validate()?;
        self.paragraph.validate()?;
        self.substring.validate()?;
        self.decontaminate.validate()
    }
}

/// Called with a stage, the number of pages done and the number of all (0 if unknown), from any thread.
pub type Progress<'a> = &'a (dyn Fn(Stage, usize, usize) + Sync);

/// A document that a stage dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// The document's id.
    pub id: String,
    /// Where it was dropped.
    pub stage: Stage,
    /// Why.
    pub reason: String,
    /// For a duplicate the id of the document that stayed in its place.
    pub twin: Option<String>,
}

/// What the pipeline made of the documents, and all that it decided.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cleaned {
    /// The clean documents in their old order.
    pub documents: Vec<Document>,
    /// Documents and bytes in and out of each stage.
    pub funnel: Funnel,
    /// Every dropped document.
    pub removed: Vec<Removal>,
    /// Every masked piece of personal data, with its document's id.
    pub masked: Vec<(String, String)>,
    /// Which rule of the filters that look at one page rejected what.
    #[serde(default)]
    pub rules: RuleTable,
}

// ANCHOR: clean
/// Runs all stages after extraction. `exam` may be empty.
///
/// # Errors
/// A setting outside its range.
pub fn clean(
    documents: Vec<Document>,
    config: &PipelineConfig,
    exam: &[TestItem],
    progress: Progress,
) -> Result<Cleaned, InvalidSetting> {
    let filters = Filters::new(config)?;
    let mut run = Run { progress, done: Cleaned { documents, ..Cleaned::default() } };
    run.filter(&filters);
    run.deduplicate(Stage::ExactDedup, exact_dedup::duplicates);
    run.deduplicate(Stage::NearDedup, |documents| minhash::near_duplicates(documents, &config.minhash));
    if config.paragraph.enabled {
        let config = &config.paragraph;
        let repeated = paragraph_dedup::repeated(&run.done.documents, config);
        let remove = |document: &mut Document, places: &Vec<usize>| paragraph_dedup::remove(document, places, config);
        run.shorten(Stage::ParagraphDedup, &repeated, remove, paragraph_dedup::TOO_LITTLE_LEFT);
    }
    if config.substring.enabled {
        let config = &config.substring;
        let repeated = substring_dedup::repeated(&run.done.documents, config)?;
        let remove = |document: &mut Document, passages: &Vec<_>| substring_dedup::remove(document, passages, config);
        run.shorten(Stage::SubstringDedup, &repeated, remove, substring_dedup::TOO_LITTLE_LEFT);
    }
    run.decontaminate(exam, &config.decontaminate);
    Ok(run.done)
}
// ANCHOR_END: clean

struct Run<'a> {
    progress: Progress<'a>,
    done: Cleaned,
}

impl Run<'_> {
    /// Asks the filters that look at one page, on all threads.
    fn filter(&mut self, filters: &Filters) {
        let n = self.done.documents.len();
        let n_done = AtomicUsize::new(0);
        let judged = |mut document: Document| {
            let n_bytes_in = document.text.len();
            let verdict = filters.judge(&mut document);
            (self.progress)(Stage::Quality, n_done.fetch_add(1, Ordering::Relaxed) + 1, n);
            (n_bytes_in, document, verdict)
        };
        let documents = std::mem::take(&mut self.done.documents);
        let judged: Vec<_> = documents.into_par_iter().map(judged).collect();
        let mut tally = FilterTally::new(filters);
        for (n_bytes_in, document, verdict) in judged {
            tally.add(n_bytes_in, &document, &verdict);
            match verdict {
                Ok(passed) => {
                    self.done.masked.extend(passed.masked.into_iter().map(|span| (document.id.clone(), span)));
                    self.done.documents.push(document);
                }
                Err(Rejection { stage, reason }) => {
                    self.done.removed.push(Removal { id: document.id, stage, reason, twin: None });
                }
            }
        }
        self.done.funnel.stages.extend(tally.stages);
        self.done.rules = tally.rules;
    }

    /// Drops the documents for which `twins` names an earlier one.
    fn deduplicate(&mut self, stage: Stage, twins: impl Fn(&[Document]) -> Vec<Option<usize>>) {
        let n = self.done.documents.len();
        (self.progress)(stage, 0, n);
        let id_of = |i: usize| self.done.documents[i].id.clone();
        let twins = twins(&self.done.documents);
        let verdicts = twins.into_iter().map(|twin| twin.map(|i| ("duplicate".to_string(), Some(id_of(i))))).collect();
        self.drop_where(stage, verdicts);
        (self.progress)(stage, n, n);
    }

    /// Removes what was found in each document, and the documents of which too little is left.
    fn shorten<F>(
        &mut self,
        stage: Stage,
        found: &[F],
        remove: impl Fn(&mut Document, &F) -> bool,
        too_little_left: &str,
    ) {
        let mut report = StageReport::entering(stage, &self.done.documents);
        let documents = std::mem::take(&mut self.done.documents);
        for (mut document, found) in documents.into_iter().zip(found) {
            if remove(&mut document, found) {
                self.done.documents.push(document);
            } else {
                let reason = too_little_left.to_string();
                *report.reasons.entry(reason.clone()).or_default() += 1;
                self.done.removed.push(Removal { id: document.id, stage, reason, twin: None });
            }
        }
        report.leaving(&self.done.documents);
        self.done.funnel.stages.push(report);
    }

    fn decontaminate(&mut self, exam: &[TestItem], config: &DecontaminateConfig) {
        let stage = Stage::Decontamination;
        let n = self.done.documents.len();
        (self.progress)(stage, 0, n);
        let found = decontaminate::contaminated(&self.done.documents, exam, config);
        let verdicts = found.into_iter().map(|hit| hit.then(|| ("exam question".to_string(), None))).collect();
        self.drop_where(stage, verdicts);
        (self.progress)(stage, n, n);
    }

    /// Drops the documents with a reason and reports the stage.
    fn drop_where(&mut self, stage: Stage, verdicts: Vec<Option<(String, Option<String>)>>) {
        let mut report = StageReport::entering(stage, &self.done.documents);
        let documents = std::mem::take(&mut self.done.documents);
        for (document, verdict) in documents.into_iter().zip(verdicts) {
            match verdict {
                None => self.done.documents.push(document),
                Some((reason, twin)) => {
                    *report.reasons.entry(reason.clone()).or_default() += 1;
                    self.done.removed.push(Removal { id: document.id, stage, reason, twin });
                }
            }
        }
        report.leaving(&self.done.documents);
        self.done.funnel.stages.push(report);
    }
}
