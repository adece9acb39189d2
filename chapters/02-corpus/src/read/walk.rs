//! Finds the readable files below a folder, in the order of their names, once each.
//!
//! Symbolic links are followed, so that a corpus may be put together from several disks. A link back to a folder above it
//! would lead round for ever: a folder that was already visited, by its real path, is not visited again. Hidden files
//! (`.git`, half-written temporary files) are passed over.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{ReadError, Skips};

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
    Text,
    Html,
    Jsonl,
    Warc,
}

impl FileKind {
    fn of(file: &Path) -> Option<FileKind> {
        let name = file.file_name()?.to_string_lossy().to_ascii_lowercase();
        let ends_with = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
        if ends_with(&[".txt", ".md"]) {
            Some(FileKind::Text)
        } else if ends_with(&[".html", ".htm"]) {
            Some(FileKind::Html)
        } else if ends_with(&[".jsonl"]) {
            Some(FileKind::Jsonl)
        } else if ends_with(&[".warc", ".warc.gz"]) {
            Some(FileKind::Warc)
        } else {
            None
        }
    }
}

/// Readable files, and how many others there are.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub files: Vec<(PathBuf, FileKind)>,
    pub n_other: usize,
}

/// Lists `path`, a folder or a file. Folders below it that cannot be opened are counted as skipped.
pub(super) fn walk(path: &Path, skipped: &mut Skips) -> Result<Found, ReadError> {
    let mut found = Found::default();
    let mut visited = HashSet::new();
    // Last in, first out: entries are pushed in reverse order of their names.
    let mut stack = vec![path.to_owned()];
    while let Some(entry) = stack.pop() {
        let listed = visit(&entry, &mut visited, &mut stack, &mut found);
        match listed {
            Ok(()) => {}
            Err(source) if entry == path => return Err(ReadError::Io { path: entry, source }),
            Err(error) => skipped.add(&entry, 0, error.to_string()),
        }
    }
    Ok(found)
}

fn visit(entry: &Path, visited: &mut HashSet<PathBuf>, stack: &mut Vec<PathBuf>, found: &mut Found) -> io::Result<()> {
    if !fs::metadata(entry)?.is_dir() {
        match FileKind::of(entry) {
            Some(kind) => found.files.push((entry.to_owned(), kind)),
            None => found.n_other += 1,
        }
        return Ok(());
    }
    if visited.insert(fs::canonicalize(entry)?) {
        let mut entries = Vec::new();
        for child in fs::read_dir(entry)? {
            let child = child?;
            if !child.file_name().to_string_lossy().starts_with('.') {
                entries.push(child.path());
            }
        }
        entries.sort_unstable_by(|a, b| b.cmp(a));
        stack.append(&mut entries);
    }
    Ok(())
}
