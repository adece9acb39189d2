//! The unit that every stage of the pipeline passes on: one page's text, where it came from, and what else is known of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One document, as it is stored in JSONL: `{"id", "url", "text"}`, and `"metadata"` if there is any.
// ANCHOR: document
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Unique within a corpus, stable between runs (a WARC record id, or a path relative to the corpus folder).
    pub id: String,
    /// Where the page was, or a `file://` path; empty if unknown.
    #[serde(default)]
    pub url: String,
    /// The text: raw HTML before extraction, clean text after it.
    pub text: String,
    /// What the source says besides: title, date, licence, other fields of a JSON line.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Value>,
}
// ANCHOR_END: document

impl Document {
    /// A document of which no more is known.
    pub fn new(id: impl Into<String>, url: impl Into<String>, text: impl Into<String>) -> Self {
        Self { id: id.into(), url: url.into(), text: text.into(), metadata: BTreeMap::new() }
    }
}
