//! Keeps the pages that are in one language.
//!
//! A detector that counts trigrams of letters (the crate `whatlang`, after Cavnar and Trenkle 1994) gives a language and
//! a confidence from 0 to 1. A page is dropped when the detector names another language, or names the right one with
//! less confidence than `min_confidence`. FineWeb (arXiv:2406.17557, section 3.3) does the same with fastText's
//! classifier and a threshold of 0.65; the scales of two detectors are not comparable.
//!
//! Code has no language: fenced blocks are left out, and a page with fewer than `min_letters` letters of prose is kept
//! undecided, because trigrams of so little text say nothing.

use serde::{Deserialize, Serialize};
use whatlang::Lang;

use crate::fences::prose;
use crate::setting::{InvalidSetting, holds, share};

// ANCHOR: language
/// Which language to keep, and how sure the detector must be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LanguageConfig {
    /// ISO 639-3 code of the language to keep.
    pub language: String,
    /// Least confidence, from 0 to 1.
    pub min_confidence: f64,
    /// With fewer letters of prose than this the page is kept undecided.
    pub min_letters: usize,
}

/// Why the page must go, or `None` to keep it.
pub fn reject_reason(text: &str, config: &LanguageConfig) -> Option<String> {
    let prose = prose(text);
    if prose.chars().filter(|c| c.is_alphabetic()).count() < config.min_letters {
        return None;
    }
    let Some(info) = whatlang::detect(&prose) else {
        return Some("no language".into());
    };
    if info.lang().code() != config.language {
        return Some(info.lang().eng_name().to_lowercase());
    }
    (info.confidence() < config.min_confidence).then(|| "unsure".into())
}
// ANCHOR_END: language

impl Default for LanguageConfig {
    fn default() -> Self {
        Self { language: "eng".into(), min_confidence: 0.15, min_letters: 40 }
    }
}

impl LanguageConfig {
    /// Checks that the language exists and the threshold is a share.
    ///
    /// # Errors
    /// The first setting outside its range.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        let known = Lang::from_code(&self.language).is_some();
        holds(known, "language.language", &self.language, "choose an ISO 639-3 code such as eng, deu or fra")?;
        share("language.min_confidence", self.min_confidence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGLISH: &str = "The quick traveller walked over the bridge and asked for the way to the old market.";
    const GERMAN: &str = "Der schnelle Wanderer ging über die Brücke und fragte nach dem Weg zum alten Markt.";

    #[test]
    fn keeps_english_and_drops_german() {
        let config = LanguageConfig::default();
        assert_eq!(reject_reason(ENGLISH, &config), None);
        assert_eq!(reject_reason(GERMAN, &config).as_deref(), Some("german"));
    }

    #[test]
    fn another_language_can_be_chosen() {
        let config = LanguageConfig { language: "deu".into(), ..Default::default() };
        assert_eq!(reject_reason(GERMAN, &config), None);
        assert_eq!(reject_reason(ENGLISH, &config).as_deref(), Some("english"));
    }

    #[test]
    fn code_has_no_language() {
        let code = format!("```\n{GERMAN}\n```\nThe code above.");
        assert_eq!(reject_reason(&code, &LanguageConfig::default()), None);
    }

    #[test]
    fn an_unknown_code_is_refused() {
        let config = LanguageConfig { language: "xx".into(), ..Default::default() };
        assert!(config.validate().unwrap_err().to_string().starts_with("language.language is xx"));
    }
}
