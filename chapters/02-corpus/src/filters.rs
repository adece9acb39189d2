//! The filters that look at one page, as one question: does it pass, and if not, which rule did it break first?
//!
//! A corpus of terabytes is read as a stream, shard by shard, on many machines. What looks at one page alone needs no
//! more than that page, so it runs inside the reader: no list of all documents, no second pass. [`Filters::new`] checks
//! the settings and loads what they name, once; [`Filters::judge`] is then asked for every page, from any thread.
//!
//! The order is by cost and by blame. The address is looked at before the text, the language before the rules that
//! were made for English, and personal data is masked last, in the pages that stay.

use crate::classifier::{Classifier, ClassifierConfig};
use crate::document::Document;
use crate::language;
use crate::lines;
use crate::metadata;
use crate::pii::{self, PiiKind};
use crate::pipeline::{PipelineConfig, Stage};
use crate::quality::Quality;
use crate::setting::InvalidSetting;
use crate::url_block_list::UrlBlockList;

/// What a page went through that stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Passed {
    /// The pieces of personal data that were masked.
    pub masked: Vec<String>,
    /// The kind of each piece.
    pub masked_kinds: Vec<PiiKind>,
    /// Bytes of the text before they were masked.
    pub n_bytes_unmasked: usize,
}

/// Why a page goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The filter that dropped it.
    pub stage: Stage,
    /// The rule that it broke.
    pub reason: String,
}

/// The filters of some settings, ready to be asked.
#[derive(Debug, Clone)]
pub struct Filters {
    config: PipelineConfig,
    url_block_list: UrlBlockList,
    quality: Quality,
    classifier: Option<Classifier>,
}

impl Filters {
    /// Checks the settings and loads the files that they name.
    ///
    /// # Errors
    /// A setting outside its range, or a file that cannot be read.
    pub fn new(config: &PipelineConfig) -> Result<Self, InvalidSetting> {
        config.validate()?;
        let classifier = config.classifier.as_ref().map(ClassifierConfig::load).transpose()?;
        let url_block_list = UrlBlockList::new(&config.url_block_list)?;
        Ok(Self { config: config.clone(), url_block_list, quality: Quality::new(&config.quality)?, classifier })
    }

    /// The filters that these settings switch on, in order.
    pub fn stages(&self) -> Vec<Stage> {
        let is_on = |stage: &Stage| match stage {
            Stage::Language | Stage::Quality | Stage::Pii => true,
            Stage::UrlBlockList => self.config.url_block_list.is_on(),
            Stage::Metadata => self.config.metadata.is_on(),
            Stage::Lines => self.config.lines.is_on(),
            Stage::Classifier => self.classifier.is_some(),
            _ => false,
        };
        Stage::ALL.into_iter().filter(is_on).collect()
    }

    // ANCHOR: judge
    /// Asks all filters in order; the first broken rule decides. A page that passes has its personal data masked.
    ///
    /// # Errors
    /// The page must go.
    pub fn judge(&self, document: &mut Document) -> Result<Passed, Rejection> {
        let because = |stage| move |reason: String| Err(Rejection { stage, reason });
        let check = |stage, reason: Option<&str>| reason.map(String::from).map_or(Ok(()), because(stage));
        check(Stage::UrlBlockList, self.url_block_list.broken_rule(&document.url))?;
        check(Stage::Metadata, metadata::broken_rule(document, &self.config.metadata))?;
        check(Stage::Language, language::reject_reason(&document.text, &self.config.language).as_deref())?;
        if self.config.lines.is_on() {
            document.text = lines::keep_prose_lines(&document.text, &self.config.lines);
        }
        check(Stage::Quality, self.quality.broken_rule(&document.text))?;
        check(Stage::Classifier, self.low_score(&document.text))?;
        let n_bytes_unmasked = document.text.len();
        let masked = pii::mask(&document.text, &self.config.pii);
        document.text = masked.text;
        Ok(Passed { masked: masked.spans, masked_kinds: masked.kinds, n_bytes_unmasked })
    }
    // ANCHOR_END: judge

    fn low_score(&self, text: &str) -> Option<&'static str> {
        let (classifier, config) = (self.classifier.as_ref()?, self.config.classifier.as_ref()?);
        (classifier.score(text) < config.min_score).then_some("low_score")
    }
}
