//! Preference data from the compiler's error codes: for each, code that shows the error and code that avoids it.
//!
//! A page of the error index shows an erroneous example, marked `compile_fail`, and after it a corrected one. Both answer
//! the same request in the same style; one is right. That is a pair for preference optimisation in which the reason for
//! the preference is a fact that the compiler checks.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rayon::prelude::*;
use scraper::node::Element;

use super::page::drops_from_book;
use super::questions::{error_code, error_summary};
use super::{RustDocsError, list_pages};
use crate::html::{Links, parse, render};

/// A request for code and two answers.
// ANCHOR: error_code_pair
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorCodePair {
    /// Asks for code without a certain error, and says what the error is.
    pub prompt: String,
    /// The corrected example, in a code fence.
    pub chosen: String,
    /// The erroneous example, in a code fence.
    pub rejected: String,
}
// ANCHOR_END: error_code_pair

/// Every erroneous example with the corrected one that follows it, each pair once, in the order of the codes.
///
/// # Errors
/// When the folder cannot be listed, or holds no pages.
pub fn error_code_preferences(root: &Path) -> Result<Vec<ErrorCodePair>, RustDocsError> {
    let mut files = Vec::new();
    list_pages(root, "error_codes", &mut files)?;
    if files.is_empty() {
        return Err(RustDocsError::Missing { path: root.join("error_codes") });
    }
    let pages: Vec<Vec<ErrorCodePair>> = files.par_iter().map(|file| page_pairs(root, file)).collect();
    let mut seen = BTreeSet::new();
    let is_new = |pair: &ErrorCodePair| seen.insert((pair.chosen.clone(), pair.rejected.clone()));
    Ok(pages.into_iter().flatten().filter(is_new).collect())
}

fn page_pairs(root: &Path, file: &str) -> Vec<ErrorCodePair> {
    let Some(code) = error_code(file) else { return Vec::new() };
    let Ok(bytes) = fs::read(root.join(file)) else { return Vec::new() };
    let html = String::from_utf8_lossy(&bytes);
    let Some(summary) = error_summary(&html) else { return Vec::new() };
    let prompt = format!("Write Rust code that does not have compiler error {code}. {summary}");

    let mut pairs = Vec::new();
    let mut erroneous = None;
    for example in examples(&html, code) {
        match example {
            Example::Erroneous(text) => erroneous = Some(text),
            Example::Correct(chosen) => {
                if let Some(rejected) = erroneous.take().filter(|rejected| *rejected != chosen) {
                    pairs.push(ErrorCodePair { prompt: prompt.clone(), chosen, rejected });
                }
            }
        }
    }
    pairs
}

enum Example {
    Erroneous(String),
    Correct(String),
}

/// The page's Rust examples in order, without those that the documentation's own tests ignore: whether they compile is
/// not known.
fn examples(html: &str, error: &str) -> Vec<Example> {
    let page = parse(html);
    let is_code =
        |element: &Element| element.name() == "code" && element.classes().any(|class| class == "language-rust");
    let mut examples = Vec::new();
    for code in page.tree.nodes().filter(|node| node.value().as_element().is_some_and(is_code)) {
        let Some(element) = code.value().as_element() else { continue };
        let Some(pre) = code.parent().filter(|node| node.value().as_element().is_some_and(|e| e.name() == "pre"))
        else {
            continue;
        };
        let classes: Vec<&str> = element.classes().collect();
        // The block's parent is rendered, so that the fence comes with it.
        let text = render(pre, Links::Keep, drops_from_book);
        if text.is_empty() || classes.contains(&"ignore") || classes.contains(&"should_panic") {
            continue;
        }
        if !classes.contains(&"compile_fail") {
            examples.push(Example::Correct(text));
        } else if classes.contains(&error) {
            examples.push(Example::Erroneous(text));
        }
    }
    examples
}
