//! Real text that every Rust user has on disk: the documentation that rustup installs.
//!
//! `rustup component add rust-docs` puts some 47,000 HTML pages below `$(rustc --print sysroot)/share/doc/rust/html`: the
//! API of `std`, `core`, `alloc`, `proc_macro` and `test`, and the books. [`RustDocs`] reads them in a fixed order, `std`
//! first, because `core` and `alloc` repeat it and deduplication keeps what came first. Pages of API items have their own
//! extractor ([`extract_rustdoc`]), books another ([`extract_page`] chooses).
//!
//! The same pages hold instruction data, [`qa_pairs`], and preference data, [`error_code_preferences`].
//!
//! Passed over: source listings, redirects, `print.html` (a whole book on one page), tables of contents, lists of all
//! items, and the implementations that rustdoc derives for every type.

mod page;
mod pairs;
mod questions;

pub use page::{extract_page, extract_rustdoc};
pub use pairs::{ErrorCodePair, error_code_preferences};
pub use questions::{QuestionAnswer, qa_pairs};

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use rayon::prelude::*;

use crate::Document;

/// Where the documentation is looked for when this environment variable is set.
pub const ROOT_VARIABLE: &str = "LLM_RUST_DOCS";

/// What is read, in this order.
// ANCHOR: rustdoc_order
pub const SECTIONS: [&str; 18] = [
    "std",
    "alloc",
    "core",
    "proc_macro",
    "test",
    "book",
    "reference",
    "cargo",
    "rustc",
    "rustdoc",
    "nomicon",
    "rust-by-example",
    "edition-guide",
    "embedded-book",
    "clippy",
    "error_codes",
    "unstable-book",
    "style-guide",
];
// ANCHOR_END: rustdoc_order

/// Pages that repeat or list other pages.
const SKIPPED_NAMES: [&str; 7] =
    ["all.html", "help.html", "not_found.html", "print.html", "search.html", "settings.html", "toc.html"];

/// Files that are read at once; bounds memory to the extracted text and this many raw pages.
const CHUNK_FILES: usize = 512;

/// Why the documentation cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RustDocsError {
    /// There is no such folder, or none of the sections is in it.
    #[error("no Rust documentation in {}; install it with `rustup component add rust-docs`, or set {ROOT_VARIABLE} to its html folder", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// `rustc` could not say where its files are.
    #[error(
        "cannot run `rustc --print sysroot` ({reason}); install Rust with rustup and `rustup component add rust-docs`, or set {ROOT_VARIABLE}"
    )]
    NoRustc {
        /// What went wrong.
        reason: String,
    },
    /// A folder or page could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The folder or page.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// The documentation's pages, listed and ready to be read.
#[derive(Debug, Clone)]
pub struct RustDocs {
    root: PathBuf,
    /// Relative to `root`, with `/`, in reading order.
    files: Vec<String>,
}

impl RustDocs {
    /// Finds the documentation's `html` folder: `LLM_RUST_DOCS` if set, else in the toolchain's folder.
    ///
    /// # Errors
    /// [`RustDocsError::Missing`] names the command that installs it.
    pub fn locate() -> Result<PathBuf, RustDocsError> {
        let root = match std::env::var_os(ROOT_VARIABLE) {
            Some(root) => PathBuf::from(root),
            None => sysroot()?.join("share/doc/rust/html"),
        };
        let has_section = SECTIONS.iter().any(|section| root.join(section).is_dir());
        if has_section { Ok(root) } else { Err(RustDocsError::Missing { path: root }) }
    }

    /// Lists the pages below `root`.
    ///
    /// # Errors
    /// When there are none, or a folder cannot be read.
    pub fn open(root: &Path) -> Result<RustDocs, RustDocsError> {
        let mut files = Vec::new();
        for section in SECTIONS {
            list_pages(root, section, &mut files)?;
        }
        if files.is_empty() {
            return Err(RustDocsError::Missing { path: root.to_owned() });
        }
        Ok(RustDocs { root: root.to_owned(), files })
    }

    /// Number of files that [`RustDocs::pages`] will read.
    #[must_use]
    pub fn n_files(&self) -> usize {
        self.files.len()
    }

    /// Reads and extracts the pages, on all threads, in an order that does not depend on them.
    #[must_use]
    pub fn pages(&self) -> Pages<'_> {
        Pages { docs: self, next_file: 0, ready: Vec::new().into_iter(), census: Census::default() }
    }
}

/// What was read so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Census {
    /// Files opened.
    pub n_files: usize,
    /// Their size in bytes.
    pub html_bytes: u64,
    /// Files that only lead to another page.
    pub n_redirects: usize,
    /// Files without any text, or that could not be read.
    pub n_empty: usize,
    /// Documents given.
    pub n_documents: usize,
    /// Bytes of extracted text in them.
    pub text_bytes: u64,
}

/// Iterates over the documents; [`Pages::census`] counts along.
#[derive(Debug)]
pub struct Pages<'a> {
    docs: &'a RustDocs,
    next_file: usize,
    ready: std::vec::IntoIter<Document>,
    census: Census,
}

impl Pages<'_> {
    /// What was read so far; chunks are read ahead of what was given.
    #[must_use]
    pub fn census(&self) -> Census {
        self.census
    }

    fn read_chunk(&mut self) {
        let end = (self.next_file + CHUNK_FILES).min(self.docs.files.len());
        let chunk = &self.docs.files[self.next_file..end];
        self.next_file = end;
        let pages: Vec<Page> = chunk.par_iter().map(|file| read_page(&self.docs.root, file)).collect();
        let mut documents = Vec::with_capacity(pages.len());
        for Page { html_bytes, is_redirect, document } in pages {
            self.census.n_files += 1;
            self.census.html_bytes += html_bytes;
            match document {
                Some(document) => {
                    self.census.n_documents += 1;
                    self.census.text_bytes += document.text.len() as u64;
                    documents.push(document);
                }
                None if is_redirect => self.census.n_redirects += 1,
                None => self.census.n_empty += 1,
            }
        }
        self.ready = documents.into_iter();
    }
}

impl Iterator for Pages<'_> {
    type Item = Document;

    fn next(&mut self) -> Option<Document> {
        loop {
            if let Some(document) = self.ready.next() {
                return Some(document);
            }
            if self.next_file == self.docs.files.len() {
                return None;
            }
            self.read_chunk();
        }
    }
}

struct Page {
    html_bytes: u64,
    is_redirect: bool,
    document: Option<Document>,
}

fn read_page(root: &Path, file: &str) -> Page {
    // A file that vanishes or cannot be read counts as empty: one page is no reason to lose the others.
    let bytes = fs::read(root.join(file)).unwrap_or_default();
    let html = String::from_utf8_lossy(&bytes);
    let is_redirect = is_redirect(&html);
    let text = if is_redirect { String::new() } else { extract_page(&html).text };
    let url = format!("https://doc.rust-lang.org/stable/{file}");
    let document = (!text.is_empty()).then(|| Document::new(file, url, text));
    Page { html_bytes: bytes.len() as u64, is_redirect, document }
}

fn is_redirect(html: &str) -> bool {
    const MAX_REDIRECT_BYTES: usize = 4_000;
    html.len() < MAX_REDIRECT_BYTES && html.contains("http-equiv=\"refresh\"")
}

fn sysroot() -> Result<PathBuf, RustDocsError> {
    let no_rustc = |reason: String| RustDocsError::NoRustc { reason };
    let output =
        Command::new("rustc").args(["--print", "sysroot"]).output().map_err(|error| no_rustc(error.to_string()))?;
    if !output.status.success() {
        return Err(no_rustc(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

/// Appends the pages of `folder` and then of its folders, each sorted by name. A missing section is no error: older and
/// newer toolchains have other books.
fn list_pages(root: &Path, folder: &str, files: &mut Vec<String>) -> Result<(), RustDocsError> {
    let unreadable = |source| RustDocsError::Unreadable { path: root.join(folder), source };
    let entries = match fs::read_dir(root.join(folder)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut folders = Vec::new();
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(unreadable)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        // A symbolic link is neither here, so there are no loops.
        let kind = entry.file_type().map_err(unreadable)?;
        if kind.is_dir() {
            folders.push(name);
        } else if kind.is_file() && name.ends_with(".html") && !SKIPPED_NAMES.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names.sort_unstable();
    folders.sort_unstable();
    files.extend(names.into_iter().map(|name| format!("{folder}/{name}")));
    folders.iter().try_for_each(|name| list_pages(root, &format!("{folder}/{name}"), files))
}
