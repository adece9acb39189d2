//! Where a run's text comes from: the synthetic world, the documentation of Rust, or files of one's own.
//!
//! In settings and on the command line it is one word: `world`, `rust-docs`, or a path (`./world` is a folder of that name).

use std::fmt;
use std::path::PathBuf;

use anyhow::Result;
use corpus::rustdoc::RustDocs;
use serde::{Deserialize, Serialize};

use crate::request::WrongRequest;

/// What `--corpus` names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum CorpusSource {
    /// The synthetic world, whose truth is known.
    #[default]
    World,
    /// The documentation that rustup installs.
    RustDocs,
    /// A file or a folder.
    Path(PathBuf),
}

const WORLD: &str = "world";
const RUST_DOCS: &str = "rust-docs";

impl CorpusSource {
    /// Whether there is something to finetune on. Plain text has no questions and no answers.
    pub fn has_lessons(&self) -> bool {
        match self {
            Self::World | Self::RustDocs => true,
            Self::Path(_) => false,
        }
    }

    /// Checks that there is something to read, without reading it.
    ///
    /// # Errors
    /// If the path does not exist, or the documentation is not installed.
    pub fn check_exists(&self) -> Result<()> {
        match self {
            Self::World => {}
            Self::RustDocs => drop(RustDocs::locate()?),
            Self::Path(path) if path.exists() => {}
            Self::Path(path) => {
                let message = format!(
                    "there is no corpus {}; give {WORLD}, {RUST_DOCS}, or a path to .txt, .md, .html, .jsonl or .warc(.gz) files",
                    path.display()
                );
                return Err(WrongRequest::new(message).into());
            }
        }
        Ok(())
    }

    /// A name for what is made of it, of letters, digits, `-`, `_` and `.`.
    pub fn short_name(&self) -> String {
        let Self::Path(path) = self else { return self.to_string() };
        // `.` and `..` have a name on disk alone.
        let full = if path.file_name().is_some() { Ok(path.clone()) } else { path.canonicalize() };
        let name = full.unwrap_or_default().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name: String =
            name.chars().map(|c| if c.is_alphanumeric() || "_.".contains(c) { c } else { '-' }).collect();
        let name = name.trim_matches(['-', '.']);
        if name.is_empty() { "corpus".to_string() } else { name.to_string() }
    }
}

impl From<String> for CorpusSource {
    fn from(word: String) -> Self {
        match word.as_str() {
            WORLD => Self::World,
            RUST_DOCS => Self::RustDocs,
            _ => Self::Path(word.into()),
        }
    }
}

impl From<CorpusSource> for String {
    fn from(source: CorpusSource) -> Self {
        source.to_string()
    }
}

impl fmt::Display for CorpusSource {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::World => f.write_str(WORLD),
            Self::RustDocs => f.write_str(RUST_DOCS),
            Self::Path(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_a_source_and_back() {
        for (word, has_lessons) in [("world", true), ("rust-docs", true), ("./world", false), ("my notes/", false)] {
            let source = CorpusSource::from(word.to_string());
            assert_eq!((source.to_string().as_str(), source.has_lessons()), (word, has_lessons));
        }
    }

    #[test]
    fn a_path_s_short_name_can_be_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let notes = folder.path().join("My notes (2)");
        std::fs::create_dir_all(notes.join("inner")).unwrap();
        let name = |path: PathBuf| CorpusSource::Path(path).short_name();
        assert_eq!(name(notes.clone()), "My-notes--2");
        assert_eq!(name(notes.join("inner/..")), "My-notes--2");
        assert_eq!(name("absent/.hidden.txt".into()), "hidden.txt");
        assert_eq!(name("/".into()), "corpus");
        assert!(!name(".".into()).starts_with('.'));
    }
}
