//! Finds what a directive asks for in the repository.

use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::directive::Directive;
use super::{listing, snapshot};

/// What a directive stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Code, and the file it comes from, relative to the repository.
    Listing {
        /// Path from the repository's root, with `/`.
        file: String,
        /// The lines, without a newline at the end.
        text: String,
    },
    /// What a tour printed.
    Output {
        /// Folder of the chapter.
        tour: String,
        /// The lines, without a newline at the end.
        text: String,
    },
    /// A drawing.
    Figure {
        /// Path of the SVG file from the repository's root, with `/`.
        file: String,
        /// Name of the file without its extension.
        name: String,
        /// What it shows.
        caption: String,
    },
}

/// The repository that a book takes its listings, outputs and figures from.
#[derive(Debug, Clone)]
pub struct Sources {
    root: PathBuf,
}

impl Sources {
    /// The repository at `root`, whose book is in `root/book`.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_path_buf() }
    }

    /// The repository's root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the pages, from the repository's root.
    pub const PAGES: &'static str = "book/src";
    /// The folder of the tests' snapshots, from the repository's root.
    pub const SNAPSHOTS: &'static str = "tests/snapshots";
    /// The folders of figures: those that the program draws, then those drawn by hand.
    pub const FIGURES: [&'static str; 2] = ["tests/snapshots/figures", "book/src/figures"];

    /// Finds the content of `directive`.
    ///
    /// # Errors
    /// A missing file, anchor, section or figure, or one that is empty.
    pub fn find(&self, directive: Directive) -> Result<Content> {
        match directive {
            Directive::Include { path, anchor } => {
                let file = normal(&format!("{}/{path}", Self::PAGES))?;
                let text = listing::listing(&self.read(&file)?, anchor).with_context(|| file.clone())?;
                Ok(Content::Listing { file, text })
            }
            Directive::Output { tour, section } => {
                Ok(Content::Output { tour: tour.to_string(), text: self.output(tour, section)? })
            }
            Directive::Figure { name, caption } => {
                let file = self.figure(name)?;
                Ok(Content::Figure { file, name: name.to_string(), caption: caption.to_string() })
            }
        }
    }

    /// The sections of a tour's snapshot, in order.
    ///
    /// # Errors
    /// A missing snapshot, or one that is not divided well.
    pub fn sections(&self, tour: &str) -> Result<Vec<(String, String)>> {
        let file = Self::snapshot_file(tour);
        let content = self.read(&file)?;
        let sections = snapshot::text(&content).and_then(snapshot::sections).with_context(|| file)?;
        Ok(sections.into_iter().map(|(title, text)| (title.to_string(), text)).collect())
    }

    fn output(&self, tour: &str, section: Option<&str>) -> Result<String> {
        let Some(wanted) = section else {
            let file = Self::snapshot_file(tour);
            return Ok(snapshot::text(&self.read(&file)?).with_context(|| file)?.to_string());
        };
        let sections = self.sections(tour)?;
        let titles: Vec<&str> = sections.iter().map(|(title, _)| title.as_str()).collect();
        match sections.iter().find(|(title, _)| title == wanted) {
            Some((_, text)) => Ok(text.clone()),
            None => bail!("the tour of {tour} has no section `{wanted}`; it has `{}`", titles.join("`, `")),
        }
    }

    fn figure(&self, name: &str) -> Result<String> {
        let files = Self::FIGURES.map(|folder| format!("{folder}/{name}.svg"));
        match files.iter().find(|file| self.root.join(file).is_file()) {
            Some(file) => Ok(file.clone()),
            None => bail!("there is no figure {name}: neither {} nor {}", files[0], files[1]),
        }
    }

    fn snapshot_file(tour: &str) -> String {
        format!("{}/tours__{tour}.snap", Self::SNAPSHOTS)
    }

    fn read(&self, file: &str) -> Result<String> {
        fs::read_to_string(self.root.join(file)).with_context(|| format!("cannot read {file}"))
    }
}

/// Resolves `.` and `..` of a path inside the repository.
fn normal(path: &str) -> Result<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(name) => parts.push(name.to_string_lossy().into_owned()),
            Component::CurDir => {}
            Component::ParentDir if parts.pop().is_some() => {}
            _ => bail!("{path} leads out of the repository"),
        }
    }
    Ok(parts.join("/"))
}
