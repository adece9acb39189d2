//! Finds the readable files below folders, in the order of their names, once each.
//!
//! Symbolic links are followed, so that a corpus may be put together from several disks. A link back to a folder above it
//! would lead round for ever: a folder or file that was already visited, by its real path, is not visited again. Hidden
//! files (`.git`, half-written temporary files) are passed over.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{ReadError, Skipped, Skips};

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// Plain text and Markdown.
    Text,
    /// One web page.
    Html,
    /// One JSON object a line.
    Jsonl,
    /// An archive of pages, or of their text (WET).
    Warc,
    /// A table with a column `text`.
    Parquet,
}

/// The endings of readable files.
// ANCHOR: endings
const ENDINGS: [(&str, FileKind); 11] = [
    (".txt", FileKind::Text),
    (".md", FileKind::Text),
    (".markdown", FileKind::Text),
    (".html", FileKind::Html),
    (".htm", FileKind::Html),
    (".xhtml", FileKind::Html),
    (".jsonl", FileKind::Jsonl),
    (".ndjson", FileKind::Jsonl),
    (".warc", FileKind::Warc),
    (".wet", FileKind::Warc),
    (".parquet", FileKind::Parquet),
];
// ANCHOR_END: endings

impl FileKind {
    /// The kind that the name promises; `None` if no document is expected in it.
    #[must_use]
    pub fn of_name(file: &Path) -> Option<FileKind> {
        let name = file.file_name()?.to_string_lossy().to_ascii_lowercase();
        let unpacked = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst"));
        // Plain `.json` is a configuration more often than a corpus; packed, as in C4, it is lines.
        if unpacked.is_some_and(|name| name.ends_with(".json")) {
            return Some(FileKind::Jsonl);
        }
        let name = unpacked.unwrap_or(&name);
        ENDINGS.into_iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, kind)| kind)
    }
}

/// A file to read.
// ANCHOR: input_file
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its path relative to the folder that was asked for, with `/` on every system; unique in a [`Listing`].
    pub id: String,
    /// What its name promises; [`InputFile::records`] looks at its first bytes as well.
    pub kind: FileKind,
    /// Its size on disk.
    pub n_bytes: u64,
}
// ANCHOR_END: input_file

/// The readable files below some paths, in an order that does not depend on the file system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// In the order of the paths, below each in the order of names.
    pub files: Vec<InputFile>,
    /// Files of other types.
    pub n_other: usize,
    /// Folders and links below the paths that cannot be opened.
    pub skipped: Skips,
}

/// Lists the readable files below `paths`, which are folders or files.
///
/// With one path, ids are relative to it. With several, they begin with the folder's name.
///
/// # Errors
/// When a path is missing or unreadable, or none of them has a readable file.
pub fn list(paths: &[PathBuf]) -> Result<Listing, ReadError> {
    let mut listing = Listing::default();
    let mut visited = HashSet::new();
    let mut ids = HashSet::new();
    for root in paths {
        if !root.exists() {
            return Err(ReadError::Missing { path: root.clone() });
        }
        let n_before = listing.files.len();
        walk(root, &mut visited, &mut listing)?;
        for file in &mut listing.files[n_before..] {
            file.id = unique(file_id(root, &file.path, paths.len() > 1), &mut ids);
        }
    }
    if listing.files.is_empty() {
        let path = paths.first().cloned().unwrap_or_default();
        return Err(ReadError::NoReadableFiles { path, n_other: listing.n_other });
    }
    Ok(listing)
}

fn walk(root: &Path, visited: &mut HashSet<PathBuf>, listing: &mut Listing) -> Result<(), ReadError> {
    // Last in, first out: entries are pushed in reverse order of their names.
    let mut stack = vec![root.to_owned()];
    while let Some(entry) = stack.pop() {
        match visit(&entry, visited, &mut stack, listing) {
            Ok(()) => {}
            Err(source) if entry == root => return Err(ReadError::Io { path: entry, source }),
            Err(error) => listing.skipped.add(Skipped::new(&entry, 0, error.to_string())),
        }
    }
    Ok(())
}

fn visit(
    entry: &Path,
    visited: &mut HashSet<PathBuf>,
    stack: &mut Vec<PathBuf>,
    listing: &mut Listing,
) -> io::Result<()> {
    let metadata = fs::metadata(entry)?;
    if !visited.insert(fs::canonicalize(entry)?) {
        return Ok(());
    }
    if !metadata.is_dir() {
        match FileKind::of_name(entry) {
            Some(kind) => {
                let (path, n_bytes) = (entry.to_owned(), metadata.len());
                listing.files.push(InputFile { path, id: String::new(), kind, n_bytes });
            }
            None => listing.n_other += 1,
        }
        return Ok(());
    }
    let mut entries = Vec::new();
    for child in fs::read_dir(entry)? {
        let child = child?;
        if !child.file_name().to_string_lossy().starts_with('.') {
            entries.push(child.path());
        }
    }
    entries.sort_unstable_by(|a, b| b.cmp(a));
    stack.append(&mut entries);
    Ok(())
}

/// The file's path relative to `root`, or its name if it is `root`; `with_root` puts the folder's name before it.
pub(super) fn file_id(root: &Path, file: &Path, with_root: bool) -> String {
    let relative = file.strip_prefix(root).ok().filter(|relative| relative.file_name().is_some());
    let folder = root.file_name().filter(|_| with_root && relative.is_some());
    let relative = relative.or_else(|| file.file_name().map(Path::new)).unwrap_or(file);
    let parts = folder.into_iter().chain(relative.components().map(|part| part.as_os_str()));
    let parts: Vec<_> = parts.map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

/// `id`, or the first of `id~2`, `id~3`, … that is not taken.
fn unique(id: String, taken: &mut HashSet<String>) -> String {
    let numbered = (2..).map(|n: u64| format!("{id}~{n}"));
    let free = std::iter::once(id.clone()).chain(numbered).find(|id| !taken.contains(id)).unwrap_or(id);
    taken.insert(free.clone());
    free
}
