//! Writes a mixture: the documents of all sources in the order of a plan, in a folder that appears whole or not at all.
//!
//! ```text
//! mix/train/00-00000.jsonl   stage 0, its first file; a stage begins a new file
//! mix/held_out/00000.jsonl   what is measured on, each document once
//! mix/mixture.json           what was asked for and what was reached
//! ```
//! Everything is written into a neighbour, `.mix.mixing`, which is renamed at the end. A program that is killed leaves only that
//! neighbour; the next one finds its lock free (the system lifts the lock of a process that ends, however it ends) and begins anew.
//! The same settings and sources give the same bytes.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::error::MixError;
use super::mixed::Mixed;
use super::sources::Source;
use super::{MixtureConfig, MixtureError, Order, Plan, Position, plan};
use crate::atomic_file::AtomicFile;
use crate::document::Document;
use crate::setting::{InvalidSetting, holds};

/// The record of a mixture in its folder.
pub const MIXTURE_RECORD: &str = "mixture.json";

const LOCK: &str = "lock";

/// Called with the bytes of text written and all that will be.
pub type MixProgress<'a> = &'a dyn Fn(u64, u64);

/// A mixture on its way into a folder.
#[derive(Debug)]
pub struct Mixing {
    target: PathBuf,
    folder: PathBuf,
    lock: File,
}

impl Mixing {
    /// Claims the folder.
    ///
    /// # Errors
    /// There is something of that name, or another process is at it, or the disk fails.
    pub fn begin(target: &Path) -> Result<Self, MixError> {
        let named = std::path::absolute(target).ok().filter(|path| path.file_name().is_some());
        let Some(target) = named.filter(|path| !path.exists()) else {
            return Err(MixError::Exists { folder: target.to_owned() });
        };
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let folder = target.with_file_name(format!(".{name}.mixing"));
        let claim = || -> io::Result<Option<File>> {
            fs::create_dir_all(&folder)?;
            let lock = File::create(folder.join(LOCK))?;
            match lock.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // What a killed process has left.
            for entry in fs::read_dir(&folder)? {
                let path = entry?.path();
                match path.file_name() {
                    Some(name) if name == LOCK => {}
                    _ if path.is_dir() => fs::remove_dir_all(path)?,
                    _ => fs::remove_file(path)?,
                }
            }
            Ok(Some(lock))
        };
        let lock = claim().map_err(MixError::at(&folder))?;
        let lock = lock.ok_or_else(|| MixError::Busy { folder: target.clone() })?;
        Ok(Self { target, folder, lock })
    }

    /// Where files go until the end.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    // ANCHOR: mix
    /// Writes all documents.
    ///
    /// # Errors
    /// Settings or sources that allow no mixture, or a disk that fails.
    pub fn write(&self, config: &MixtureConfig, progress: MixProgress) -> Result<Mixed, MixError> {
        let (sources, plan, n_held_out) = self.open(config)?;
        let sizes: Vec<Vec<u64>> = sources.iter().map(|source| source.sizes.clone()).collect();
        let mut mixed = Mixed::planned(plan.clone(), config.clone());
        mixed.n_held_out = n_held_out;
        mixed.source_documents = sizes.iter().map(Vec::len).collect();
        mixed.n_unreadable = sources.iter().map(|source| source.n_unreadable).sum();
        let mut parts = Parts { folder: self.folder.join("train"), part_bytes: config.part_bytes, open: None };
        for draw in Order::new(&plan, &sizes, Position::default()) {
            let mut document = sources[draw.source].read(draw.document)?;
            if draw.epoch > 0 {
                document.id = format!("{}#{}", document.id, draw.epoch);
            }
            let origin = json!({"source": plan.sources[draw.source], "stage": draw.stage, "epoch": draw.epoch});
            document.metadata.insert("mixture".to_string(), origin);
            parts.write(draw.stage, &document)?;
            mixed.add(draw, document.text.len() as u64);
            progress(mixed.training_bytes, config.total_bytes);
        }
        parts.finish()?;
        let record = self.folder.join(MIXTURE_RECORD);
        let write = || -> io::Result<()> {
            let mut file = AtomicFile::create(&record)?;
            serde_json::to_writer_pretty(&mut file, &mixed)?;
            file.write_all(b"\n")?;
            file.finish()
        };
        write().map_err(MixError::at(&record))?;
        Ok(mixed)
    }
    // ANCHOR_END: mix

    /// Measures the sources, writes what is held out, and plans.
    fn open(&self, config: &MixtureConfig) -> Result<(Vec<Source>, Plan, usize), MixError> {
        check(config).map_err(MixtureError::from)?;
        let path = self.folder.join("held_out/00000.jsonl");
        let mut file = AtomicFile::create(&path).map_err(MixError::at(&path))?;
        let mut n_held_out = 0;
        let mut hold_out = |document: Document| {
            n_held_out += 1;
            write_line(&mut file, &document).map_err(MixError::at(&path))
        };
        let sources: Vec<Source> = config
            .sources
            .iter()
            .map(|source| Source::open(source, config, &mut hold_out))
            .collect::<Result<_, _>>()?;
        file.finish().map_err(MixError::at(&path))?;
        let bytes: Vec<u64> = sources.iter().map(|source| source.sizes.iter().sum()).collect();
        let plan = plan(config, &bytes)?;
        Ok((sources, plan, n_held_out))
    }

    /// Gives the folder its name.
    ///
    /// # Errors
    /// If it cannot be renamed.
    pub fn finish(self) -> Result<PathBuf, MixError> {
        fs::rename(&self.folder, &self.target).map_err(MixError::at(&self.target))?;
        drop(self.lock);
        let lock = self.target.join(LOCK);
        fs::remove_file(&lock).map_err(MixError::at(&lock))?;
        Ok(self.target)
    }
}

/// The plan for sources of which only the sizes are wanted.
impl Plan {
    /// Measures a mixture's sources and plans it, without writing anything.
    ///
    /// # Errors
    /// As [`Mixing::write`].
    pub fn of(config: &MixtureConfig) -> Result<Self, MixError> {
        check(config).map_err(MixtureError::from)?;
        let size = |source| Ok(Source::open(source, config, &mut |_| Ok(()))?.sizes.iter().sum());
        let bytes: Vec<u64> = config.sources.iter().map(size).collect::<Result<_, MixError>>()?;
        Ok(plan(config, &bytes)?)
    }
}

fn check(config: &MixtureConfig) -> Result<(), InvalidSetting> {
    config.validate()?;
    let rule = "say how many bytes of text the mixture shall have";
    holds(config.total_bytes > 0, "mixture.total_bytes", config.total_bytes, rule)
}

/// The files of `train/`, one after another.
struct Parts {
    folder: PathBuf,
    part_bytes: u64,
    open: Option<Part>,
}

struct Part {
    file: AtomicFile,
    path: PathBuf,
    stage: usize,
    number: usize,
    n_bytes: u64,
}

impl Parts {
    fn write(&mut self, stage: usize, document: &Document) -> Result<(), MixError> {
        let mut part = match self.open.take() {
            Some(part) if part.stage == stage && part.n_bytes < self.part_bytes => part,
            Some(part) => {
                let number = if part.stage == stage { part.number + 1 } else { 0 };
                part.file.finish().map_err(MixError::at(&part.path))?;
                self.create(stage, number)?
            }
            None => self.create(stage, 0)?,
        };
        write_line(&mut part.file, document).map_err(MixError::at(&part.path))?;
        part.n_bytes += document.text.len() as u64;
        self.open = Some(part);
        Ok(())
    }

    fn create(&self, stage: usize, number: usize) -> Result<Part, MixError> {
        let path = self.folder.join(format!("{stage:02}-{number:05}.jsonl"));
        let file = AtomicFile::create(&path).map_err(MixError::at(&path))?;
        Ok(Part { file, path, stage, number, n_bytes: 0 })
    }

    fn finish(self) -> Result<(), MixError> {
        self.open.map_or(Ok(()), |part| part.file.finish().map_err(MixError::at(&part.path)))
    }
}

fn write_line(file: &mut AtomicFile, document: &Document) -> io::Result<()> {
    serde_json::to_writer(&mut *file, document)?;
    file.write_all(b"\n")
}
