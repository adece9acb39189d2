//! The filters that look at one page, as one question: does it pass, and if not, which rule did it break first?
//!
//! A corpus of terabytes is read as a stream, shard by shard, on many machines. What looks at one page alone needs no
//! more than that page, so it runs inside the reader: no list of all documents, no second pass. [`Filters::new`] checks
//! the settings and loads what they name, once; [`Filters::judge`] is then asked for every page, from any thread.
//!
//! The order is by cost and by blame. The address is looked at before the text, the language before the rules that
//! were made for English, and personal data is masked last, in the pages that stay.

use crate::document::Document;
use crate::language;
use crate::lines;
use crate::pii;
use crate::pipeline::{PipelineConfig, Stage};
use crate::quality::Quality;
use crate::setting::InvalidSetting;

/// What a page went through that stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Passed {
    /// The pieces of personal data that were masked.
    pub masked: Vec<String>,
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
    quality: Quality,
}

impl Filters {
    /// Checks the settings and loads the files that they name.
    ///
    /// # Errors
    /// A setting outside its range, or a file that cannot be read.
    pub fn new(config: &PipelineConfig) -> Result<Self, InvalidSetting> {
        config.validate()?;
        Ok(Self { config: config.clone(), quality: Quality::new(&config.quality)? })
    }

    /// The filters that these settings switch on, in order.
    pub fn stages(&self) -> Vec<Stage> {
        let is_on = |stage: &Stage| match stage {
            Stage::Language | Stage::Quality | Stage::Pii => true,
            Stage::Lines => self.config.lines.is_on(),
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
        let because = |stage| move |reason: String| Rejection { stage, reason };
        let check = |reason: Option<String>| reason.map_or(Ok(()), Err);
        check(language::reject_reason(&document.text, &self.config.language)).map_err(because(Stage::Language))?;
        if self.config.lines.is_on() {
            document.text = lines::keep_prose_lines(&document.text, &self.config.lines);
        }
        let broken_rule = self.quality.broken_rule(&document.text);
        check(broken_rule.map(String::from)).map_err(because(Stage::Quality))?;
        let n_bytes_unmasked = document.text.len();
        let masked = pii::mask(&document.text, &self.config.pii);
        document.text = masked.text;
        Ok(Passed { masked: masked.spans, n_bytes_unmasked })
    }
    // ANCHOR_END: judge
}
