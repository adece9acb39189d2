//! The book's machinery: Markdown pages in `book/src` become a web site and a PDF, in one process.
//!
//! mdBook is used as a library. It loads `book/book.toml` and `SUMMARY.md`, hands every page to our preprocessors and then to
//! two renderers: its own for the web, ours for the PDF. Nothing else is installed or started: no browser, no LaTeX.
//!
//! | module | what it does |
//! |---|---|
//! | [`pages`] | finds listings, outputs and figures, and refuses what is missing |
//! | [`expand`] | puts them into the pages |
//! | [`figure`] | an SVG file as part of a web page |
//! | [`math`] | LaTeX as MathML for the web, and the same MathML as Typst for the PDF |
//! | [`pdf`] | Markdown to Typst to PDF |
//! | [`web`] | what the site needs besides mdBook's own files |
//! | [`warnings`] | mdBook's warnings, which are errors here |

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use mdbook_driver::MDBook;
use mdbook_driver::config::Config;

pub mod expand;
pub mod figure;
pub mod math;
pub mod pages;
pub mod pdf;
pub mod warnings;
pub mod web;

/// Name of the PDF file.
pub const PDF_NAME: &str = "llm-from-scratch-in-rust.pdf";

/// What a build has written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// First page of the web book.
    pub web: PathBuf,
    /// The PDF.
    pub pdf: PathBuf,
    /// Number of the PDF's pages.
    pub n_pages: usize,
}

/// The repository around `folder`: the nearest folder above it that holds `book/book.toml`.
///
/// # Errors
/// No such folder.
pub fn repository(folder: &Path) -> Result<PathBuf> {
    folder
        .ancestors()
        .find(|folder| folder.join("book/book.toml").is_file())
        .map(Path::to_path_buf)
        .with_context(|| format!("{} is in no repository with a book/book.toml; go there first", folder.display()))
}

/// Builds the book of the repository at `root`: `out/html/index.html` and `out/`[`PDF_NAME`].
///
/// # Errors
/// Anything that would give a reader a broken page: a missing listing, output or figure, mathematics that cannot be
/// read, a link that leads nowhere, a warning of mdBook or Typst. The message names the page.
pub fn build(root: &Path, out: &Path) -> Result<Built> {
    let built = Built { web: out.join("html/index.html"), pdf: out.join(PDF_NAME), n_pages: 0 };
    let (n_pages, warnings) = warnings::collect(|| build_all(root, out, &built.pdf));
    let warned = format!("mdBook warned:\n{}", warnings.join("\n"));
    let n_pages = match n_pages {
        Ok(_) if !warnings.is_empty() => bail!("{warned}"),
        Err(error) if !warnings.is_empty() => return Err(error.context(warned)),
        n_pages => n_pages?,
    };
    Ok(Built { n_pages, ..built })
}

fn build_all(root: &Path, out: &Path, pdf: &Path) -> Result<usize> {
    let folder = root.join("book");
    let mut config = Config::from_disk(folder.join("book.toml"))?;
    config.build.build_dir = out.to_path_buf();
    config.build.create_missing = false;
    // Ours are strict where mdBook's are not.
    config.build.use_default_preprocessors = false;
    let mut book = MDBook::load_with_config(folder, config)?;
    let sources = pages::Sources::new(root);
    let n_pages = pdf::PageCount::default();
    book.with_preprocessor(expand::Expand::new(sources));
    book.with_preprocessor(math::MathForWeb);
    book.with_renderer(pdf::Pdf::new(root, pdf, n_pages.clone()));
    fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    book.build()?;
    web::finish(&out.join("html"), pdf)?;
    Ok(n_pages.get())
}
