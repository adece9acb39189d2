//! TEMPORARY stand-in for the reading seam, until it lands.
use std::io;
use std::path::{Path, PathBuf};

use crate::document::Document;
use crate::read::{ReadError, read_folder};

#[derive(Debug, Clone)]
pub struct InputFile {
    pub path: PathBuf,
    pub id: String,
    pub n_bytes: u64,
}
#[derive(Debug, Clone)]
pub struct Record {
    document: Document,
}
impl Record {
    pub fn n_bytes(&self) -> usize {
        self.document.text.len()
    }
    pub fn extract(self) -> Result<Document, String> {
        Ok(self.document)
    }
}
impl InputFile {
    pub fn records(&self) -> io::Result<impl Iterator<Item = Result<Record, String>> + use<>> {
        let reading = read_folder(&self.path).map_err(io::Error::other);
        let documents = match reading {
            Ok(r) => r.documents,
            Err(_) => Vec::new(),
        };
        let (file, id) =
            (self.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(), self.id.clone());
        Ok(documents.into_iter().map(move |mut document| {
            if let Some(rest) = document.id.strip_prefix(&file) {
                document.id = format!("{id}{rest}");
            }
            Ok(Record { document })
        }))
    }
}
pub fn list(paths: &[PathBuf]) -> Result<Vec<InputFile>, ReadError> {
    let mut files = Vec::new();
    for path in paths {
        let mut found = Vec::new();
        walk(path, &mut found);
        found.sort();
        for file in found {
            let id = file.strip_prefix(path).ok().filter(|p| p.file_name().is_some()).map_or_else(
                || file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                |p| p.to_string_lossy().into_owned(),
            );
            let n_bytes = std::fs::metadata(&file).map_or(0, |m| m.len());
            files.push(InputFile { path: file, id, n_bytes });
        }
    }
    Ok(files)
}
fn walk(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        if let Ok(entries) = std::fs::read_dir(path) {
            entries.flatten().for_each(|e| walk(&e.path(), found));
        }
    } else {
        found.push(path.to_owned());
    }
}
