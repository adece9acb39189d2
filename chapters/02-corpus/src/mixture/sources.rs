//! Where the documents of a mixture's sources lie, so that they can be read in any order.
//!
//! A mixture reads its sources shuffled and some of them several times. So each file is read once from its beginning to its
//! end for the place and size of every document, and later a document is read by one seek. In memory is 16 bytes a
//! document for its place, 8 for its size and 8 for its number in the shuffled order, and no text.
//!
//! Refused: compressed files, in which one cannot seek, and files that are no JSON lines. `llm corpus build` makes JSON lines of both.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::{MIXTURE_RECORD, MixError, MixtureConfig, SourceConfig};
use crate::document::Document;
use crate::job::read_report;
use crate::read::{FileKind, InputFile, list, parse_line};
use crate::split::is_held_out;

/// A source's documents for training, by their places.
#[derive(Debug, Default)]
pub(super) struct Source {
    name: String,
    files: Vec<InputFile>,
    places: Vec<Place>,
    /// Bytes of text of each document.
    pub sizes: Vec<u64>,
    /// Lines that are no documents.
    pub n_unreadable: usize,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    file: u32,
    offset: u64,
}

impl Source {
    /// Reads all documents of a source once. Those that are held out go to `held_out`, the others are only counted.
    ///
    /// A folder of a finished job or of a mixture gives its `train/`, and its `held_out/` to `held_out`; of other files the documents whose
    /// id decides so are held out.
    pub fn open(
        source: &SourceConfig,
        config: &MixtureConfig,
        held_out: &mut dyn FnMut(Document) -> Result<(), MixError>,
    ) -> Result<Self, MixError> {
        let is_job = source.path.join("manifest.json").exists();
        if is_job {
            read_report(&source.path).map_err(|error| MixError::unfinished(&source.name, &source.path, &error))?;
        }
        let is_split = is_job || source.path.join(MIXTURE_RECORD).exists();
        if is_split {
            for file in files(source, "held_out")? {
                for record in file.records().map_err(MixError::at(&file.path))?.flatten() {
                    held_out(named(record.document, &source.name))?;
                }
            }
        }
        let files = files(source, if is_split { "train" } else { "" })?;
        let mut found = Self { name: source.name.clone(), ..Self::default() };
        for (file, number) in files.iter().zip(0..) {
            for record in file.records().map_err(MixError::at(&file.path))? {
                match record {
                    Err(_) => found.n_unreadable += 1,
                    Ok(record) if !is_split && is_held_out(&record.document, config.held_out_share) => {
                        held_out(named(record.document, &source.name))?;
                    }
                    Ok(record) => {
                        found.places.push(Place { file: number, offset: record.offset });
                        found.sizes.push(record.document.text.len() as u64);
                    }
                }
            }
        }
        if found.sizes.is_empty() {
            return Err(MixError::Empty { name: source.name.clone(), path: source.path.clone() });
        }
        Ok(Self { files, ..found })
    }

    /// Reads one document.
    pub fn read(&self, document: usize) -> Result<Document, MixError> {
        let place = self.places[document];
        let file = &self.files[place.file as usize];
        let read = || -> io::Result<Vec<u8>> {
            let mut input = File::open(&file.path)?;
            input.seek(SeekFrom::Start(place.offset))?;
            let mut line = Vec::new();
            BufReader::new(input).read_until(b'\n', &mut line)?;
            Ok(line)
        };
        let line = read().map_err(MixError::at(&file.path))?;
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line);
        match parse_line(line, || format!("{}@{}", file.id, place.offset)) {
            Ok(found) if found.text.len() as u64 == self.sizes[document] => Ok(named(found, &self.name)),
            _ => Err(MixError::Changed { path: file.path.clone() }),
        }
    }
}

/// Ids of two sources may be equal.
fn named(document: Document, source: &str) -> Document {
    Document { id: format!("{source}/{}", document.id), ..document }
}

/// The files of a source, or of a folder in it.
fn files(source: &SourceConfig, folder: &str) -> Result<Vec<InputFile>, MixError> {
    let root: PathBuf = if folder.is_empty() { source.path.clone() } else { source.path.join(folder) };
    let listing =
        list(&[root]).map_err(|error| MixError::Source { name: source.name.clone(), reason: error.to_string() })?;
    match listing.files.iter().find(|file| !is_plain(&file.path, file.kind)) {
        Some(file) => Err(MixError::NotPlain { name: source.name.clone(), path: file.path.clone() }),
        None => Ok(listing.files),
    }
}

fn is_plain(path: &Path, kind: FileKind) -> bool {
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    kind == FileKind::Jsonl && (ending == "jsonl" || ending == "ndjson")
}
