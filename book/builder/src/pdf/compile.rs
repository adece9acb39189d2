//! Typst as a library: a document in memory, images from the repository, embedded fonts, no clock and no network.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use typst::diag::{FileError, FileResult, SourceDiagnostic};
use typst::foundations::{Bytes, Datetime, Duration};
use typst::syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt, World, WorldExt};
use typst_kit::fonts::FontStore;
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards};

use super::book::Document;

/// Sets the document; figures are found in the repository at `root`. Gives the file's bytes and the number of its pages.
///
/// # Errors
/// What Typst refuses or warns about, and what PDF/UA-1 forbids; each names the page of the book.
pub fn pdf(root: &Path, document: &Document) -> Result<(Vec<u8>, usize)> {
    let world = BookWorld::new(root, document)?;
    let compiled = typst::compile::<PagedDocument>(&world);
    if !compiled.warnings.is_empty() {
        bail!("{}", world.describe(&compiled.warnings, document));
    }
    let paged = compiled.output.map_err(|errors| anyhow!(world.describe(&errors, document)))?;
    let standards = PdfStandards::new(&[PdfStandard::Ua_1]).map_err(|error| anyhow!("{error:?}"))?;
    let options = PdfOptions { standards, ..PdfOptions::default() };
    let bytes = typst_pdf::pdf(&paged, &options).map_err(|errors| anyhow!(world.describe(&errors, document)))?;
    Ok((bytes, paged.pages().len()))
}

struct BookWorld {
    library: LazyHash<Library>,
    fonts: FontStore,
    main: Source,
    root: PathBuf,
}

impl BookWorld {
    fn new(root: &Path, document: &Document) -> Result<Self> {
        let mut fonts = FontStore::new();
        fonts.extend(typst_kit::fonts::embedded());
        let path = VirtualPath::new("/book.typ").map_err(|error| anyhow!("{error:?}"))?;
        let id = FileId::new(RootedPath::new(VirtualRoot::Project, path));
        let main = Source::new(id, document.text.clone());
        Ok(Self { library: LazyHash::new(Library::default()), fonts, main, root: root.to_path_buf() })
    }

    fn describe(&self, diagnostics: &[SourceDiagnostic], document: &Document) -> String {
        let describe = |diagnostic: &SourceDiagnostic| {
            // A fault inside a function of the style belongs to the page that called it.
            let calls = diagnostic.trace.iter().map(|call| self.range(call.span));
            let spans = std::iter::once(self.range(diagnostic.span)).chain(calls).flatten();
            let at = spans.max_by_key(|range| range.start);
            let page = at.as_ref().map_or("the PDF", |range| document.page_at(range.start));
            let near = at.and_then(|range| document.text.get(range)).unwrap_or_default();
            let near: String = near.chars().take(80).collect();
            let hints: String = diagnostic.hints.iter().map(|hint| format!("; {}", hint.v)).collect();
            format!("{page}: {}{hints}: {near}", diagnostic.message)
        };
        diagnostics.iter().map(describe).collect::<Vec<_>>().join("\n")
    }

    fn path(&self, id: FileId) -> PathBuf {
        self.root.join(id.vpath().get_without_slash())
    }
}

impl World for BookWorld {
    fn library(&self) -> &LazyHash<Library> {
        &self.library
    }

    fn book(&self) -> &LazyHash<FontBook> {
        self.fonts.book()
    }

    fn main(&self) -> FileId {
        self.main.id()
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        if id == self.main.id() { Ok(self.main.clone()) } else { Err(FileError::NotSource) }
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        let path = self.path(id);
        fs::read(&path).map(Bytes::new).map_err(|error| FileError::from_io(error, &path))
    }

    fn font(&self, index: usize) -> Option<Font> {
        self.fonts.font(index)
    }

    /// No date, so that the same pages give the same bytes.
    fn today(&self, _: Option<Duration>) -> Option<Datetime> {
        None
    }
}
