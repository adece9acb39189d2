//! The PDF: every page's Markdown becomes Typst markup, and Typst sets the book.
//!
//! Typst is a library here, with its fonts inside: nothing is installed, and the same pages give the same bytes. The
//! file conforms to PDF/UA-1, which doubles as a check: a character that no font has, a figure without a caption or a
//! skipped heading level is an error.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result};
use mdbook_renderer::{RenderContext, Renderer};
use pulldown_cmark::Options;

mod blocks;
mod book;
mod compile;
mod html;
mod markdown;
mod slug;

/// The renderer `pdf`.
pub struct Pdf {
    root: PathBuf,
    file: PathBuf,
    n_pages: PageCount,
}

/// Tells the number of pages when the renderer, which mdBook owns, is done.
#[derive(Debug, Clone, Default)]
pub struct PageCount(Rc<Cell<usize>>);

impl PageCount {
    /// The number of pages of the last rendered PDF; 0 before.
    pub fn get(&self) -> usize {
        self.0.get()
    }
}

impl Pdf {
    /// Writes the PDF to `file`; figures are found in the repository at `root`.
    pub fn new(root: &Path, file: &Path, n_pages: PageCount) -> Self {
        Self { root: root.to_path_buf(), file: file.to_path_buf(), n_pages }
    }
}

impl Renderer for Pdf {
    fn name(&self) -> &str {
        "pdf"
    }

    fn render(&self, context: &RenderContext) -> Result<()> {
        let document = book::to_typst(context)?;
        let (bytes, n_pages) = compile::pdf(&self.root, &document)?;
        self.n_pages.0.set(n_pages);
        fs::write(&self.file, bytes).with_context(|| format!("cannot write {}", self.file.display()))
    }
}

/// How Markdown is read: as mdBook reads it for the web, and formulas besides.
pub fn markdown_options() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_SMART_PUNCTUATION
        | Options::ENABLE_DEFINITION_LIST
        | Options::ENABLE_GFM
        | Options::ENABLE_MATH
}

/// A text as a Typst string literal.
pub fn quoted(text: &str) -> String {
    let mut literal = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => literal.push_str("\\\""),
            '\\' => literal.push_str("\\\\"),
            '\n' => literal.push_str("\\n"),
            '\r' => {}
            '\t' => literal.push_str("    "),
            c => literal.push(c),
        }
    }
    literal.push('"');
    literal
}
