//! The names of the pipeline's stages, in their order.

use serde::{Deserialize, Serialize};

/// A stage of the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// HTML to main text.
    Extraction,
    /// Pages at blocked addresses go.
    UrlBlockList,
    /// Pages whose licence or robots metadata speak against them go.
    Metadata,
    /// Pages in other languages go.
    Language,
    /// Lines that are no prose go; the page stays.
    Lines,
    /// Pages that break a quality rule go.
    Quality,
    /// Pages that a trained classifier scores low go.
    Classifier,
    /// Personal data is masked.
    Pii,
    /// Copies go.
    ExactDedup,
    /// Near copies go.
    NearDedup,
    /// Paragraphs that occurred before go, and pages of which too little is left.
    ParagraphDedup,
    /// Passages that occurred before go, and pages of which too little is left.
    SubstringDedup,
    /// Pages with exam questions go.
    Decontamination,
}

impl Stage {
    /// All stages in order. Which of them run is a matter of the settings.
    pub const ALL: [Stage; 13] = [
        Stage::Extraction,
        Stage::UrlBlockList,
        Stage::Metadata,
        Stage::Language,
        Stage::Lines,
        Stage::Quality,
        Stage::Classifier,
        Stage::Pii,
        Stage::ExactDedup,
        Stage::NearDedup,
        Stage::ParagraphDedup,
        Stage::SubstringDedup,
        Stage::Decontamination,
    ];

    /// The name in snake case, as it stands in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Extraction => "extraction",
            Stage::UrlBlockList => "url_block_list",
            Stage::Metadata => "metadata",
            Stage::Language => "language",
            Stage::Lines => "lines",
            Stage::Quality => "quality",
            Stage::Classifier => "classifier",
            Stage::Pii => "pii",
            Stage::ExactDedup => "exact_dedup",
            Stage::NearDedup => "near_dedup",
            Stage::ParagraphDedup => "paragraph_dedup",
            Stage::SubstringDedup => "substring_dedup",
            Stage::Decontamination => "decontamination",
        }
    }
}
