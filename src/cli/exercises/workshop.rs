//! What an exercise is: the files that belong together under `exercises/NN-name`, found by looking
//! at the folders.
//!
//! ```text
//! src/e1_softmax.rs         the starter: its header is the statement, its body is `todo!()`
//! tests/e1_softmax.rs       what the solution must do
//! hints/e1_softmax.md       three nudges
//! solutions/e1_softmax.rs   one way to write it
//! bugs/e1_softmax/*.rs      wrong solutions that the tests must catch
//! ```
//!
//! Adding these files adds an exercise; there is no list to keep. This file has no dependency but
//! `anyhow`, because `exercises/proof` compiles it too.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// One exercise of one chapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exercise {
    /// Chapter folder, `05-attention`.
    pub chapter: String,
    /// File name without extension, `e2_rope`. The same for starter, test, hint and solution.
    pub stem: String,
    /// Folder of the chapter's exercises.
    pub folder: PathBuf,
}

impl Exercise {
    /// What a reader types: the stem without its number, `rope`.
    pub fn id(&self) -> &str {
        self.stem.split_once('_').map_or(&self.stem, |(_, id)| id)
    }

    /// Cargo package, `ex-attention`.
    pub fn package(&self) -> String {
        let name = self.chapter.split_once('-').map_or(self.chapter.as_str(), |(_, name)| name);
        format!("ex-{name}")
    }

    /// The file that the reader edits.
    pub fn starter(&self) -> PathBuf {
        self.folder.join("src").join(format!("{}.rs", self.stem))
    }

    /// The tests that decide.
    pub fn test(&self) -> PathBuf {
        self.folder.join("tests").join(format!("{}.rs", self.stem))
    }

    /// The nudges.
    pub fn hint(&self) -> PathBuf {
        self.folder.join("hints").join(format!("{}.md", self.stem))
    }

    /// One way to write it.
    pub fn solution(&self) -> PathBuf {
        self.folder.join("solutions").join(format!("{}.rs", self.stem))
    }

    /// The starter's header without its comment marks.
    ///
    /// # Errors
    /// When the starter cannot be read.
    pub fn statement(&self) -> Result<String> {
        Ok(header(&read(&self.starter())?))
    }

    /// First line of the statement without its number: what the exercise is about.
    ///
    /// # Errors
    /// When the starter cannot be read.
    pub fn title(&self) -> Result<String> {
        let statement = self.statement()?;
        let line = statement.lines().next().unwrap_or_default();
        let title = line.split_once(": ").map_or(line, |(_, title)| title);
        Ok(title.trim_end_matches('.').to_string())
    }

    /// Whether the starter has no `todo!` left, so that its tests can pass.
    ///
    /// # Errors
    /// When the starter cannot be read.
    pub fn is_written(&self) -> Result<bool> {
        let source = read(&self.starter())?;
        Ok(!source.lines().any(|line| !line.trim_start().starts_with("//") && line.contains("todo!")))
    }
}

/// The checkout that holds `start` or is above it.
///
/// # Errors
/// When no folder from `start` upwards is a checkout of the book.
pub fn find_root(start: &Path) -> Result<PathBuf> {
    let is_root = |folder: &&Path| {
        folder.join("exercises").is_dir()
            && fs::read_to_string(folder.join("Cargo.toml")).is_ok_and(|toml| toml.contains("\"exercises/*\""))
    };
    match start.ancestors().find(is_root) {
        Some(root) => Ok(root.to_path_buf()),
        None => bail!(
            "{} is not inside a checkout of the book. The exercises are source files: \
             clone the repository and run this there",
            start.display()
        ),
    }
}

/// All exercises of the checkout at `root`, in reading order.
///
/// # Errors
/// When a folder cannot be read, or there is no exercise.
pub fn discover(root: &Path) -> Result<Vec<Exercise>> {
    let mut exercises = Vec::new();
    for folder in sorted_entries(&root.join("exercises"))? {
        let chapter = file_name(&folder);
        // `proof` and `README.md` live here too; a chapter starts with its number.
        if !chapter.starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        for path in sorted_entries(&folder.join("src"))? {
            let name = file_name(&path);
            if let Some(stem) = name.strip_suffix(".rs").filter(|stem| is_stem(stem)) {
                exercises.push(Exercise { chapter: chapter.clone(), stem: stem.to_string(), folder: folder.clone() });
            }
        }
    }
    if exercises.is_empty() {
        bail!("no exercises under {}", root.join("exercises").display());
    }
    Ok(exercises)
}

/// `e1_softmax`: an `e`, a number, a name.
fn is_stem(stem: &str) -> bool {
    stem.strip_prefix('e')
        .and_then(|rest| rest.split_once('_'))
        .is_some_and(|(number, id)| !id.is_empty() && number.parse::<u32>().is_ok())
}

/// The `//!` lines at the top of `source`, without their marks.
fn header(source: &str) -> String {
    source
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect::<Vec<_>>()
        .join("\n")
}

fn sorted_entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read folder {}", folder.display()))?;
    let mut paths = entries
        .map(|entry| entry.map(|e| e.path()))
        .collect::<std::io::Result<Vec<_>>>()
        .with_context(|| format!("cannot read folder {}", folder.display()))?;
    paths.sort();
    Ok(paths)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
