//! The unit that every stage of the pipeline passes on: one page's text and where it came from.

use serde::{Deserialize, Serialize};

/// One document, as it is stored in JSONL: `{"id", "url", "text"}`.
// ANCHOR: document
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Unique within a corpus, stable between runs (a WARC record id, or a path relative to the corpus folder).
    pub id: String,
    /// Where the page was, or a `file://` path; empty if unknown.
    #[serde(default)]
    pub url: String,
    /// The text: raw HTML before extraction, clean text after it.
    pub text: String,
}
// ANCHOR_END: document
