//! What is true of the pages of an invented crawl, so that every stage can be scored.
//!
//! A label says what a page *is*, independent of the others: in another language, of low quality, a leak. Copies have
//! no such label, since a copy is only wrong where its twin is kept; they share a group number instead, and exactly one
//! page of a group should be kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

// ANCHOR: page_truth
/// The truth about one page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageTruth {
    /// The main text that extraction should find.
    pub text: String,
    /// Is it in another language than English?
    pub foreign: bool,
    /// Why the quality rules must drop it, if they must.
    pub low_quality: Option<String>,
    /// Every e-mail address and telephone number in `text`.
    pub personal: Vec<String>,
    /// Pages with equal `text`, once personal data is masked, have the same number.
    pub exact_group: u64,
    /// A page, its copies and its edited copies have the same number.
    pub near_group: u64,
    /// Does it contain a question of the exam with its answer?
    pub leak: bool,
}
// ANCHOR_END: page_truth

/// The truth about a crawl: record id to page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truth {
    /// Record id to truth.
    pub pages: BTreeMap<String, PageTruth>,
}
