//! What is done: one record a task, with the checksums of the files that it wrote.
//!
//! A task writes its files under their final names first (each complete or not at all, [`AtomicFile`]) and its record last.
//! So a record that exists speaks the truth, unless a disk has changed the files since. A process that starts therefore
//! checks the files of the tasks that fall to it against their checksums, and does again what does not agree.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::{JobError, Step};
use crate::atomic_file::AtomicFile;
use crate::contamination::ContaminationReport;
use crate::funnel::StageReport;
use crate::rule_table::RuleTable;

/// What a task has done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TaskRecord {
    /// The files that it wrote.
    pub files: Vec<WrittenFile>,
    /// Documents that it passed on.
    pub n_documents: usize,
    /// Its share of the funnel.
    pub stages: Vec<StageReport>,
    /// Which rule rejected what.
    pub rules: RuleTable,
    /// Which questions of the exam were on which pages.
    pub contamination: ContaminationReport,
    /// Records that could not be read.
    pub n_skipped: usize,
    /// The first of them.
    pub skipped: Vec<String>,
    /// Bytes of text for training.
    pub training_bytes: usize,
    /// Documents held out.
    pub n_held_out: usize,
}

/// A file in the job's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WrittenFile {
    /// Relative to the job's folder.
    pub name: String,
    /// Its length.
    pub n_bytes: u64,
    /// XXH3 of all bytes, 128 bits in hexadecimal.
    pub checksum: String,
}

/// The records of one job.
#[derive(Debug, Clone)]
pub(super) struct Tasks {
    folder: PathBuf,
}

impl Tasks {
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    fn record_path(&self, step: Step, index: usize) -> PathBuf {
        self.folder.join(format!("tasks/{}-{index:05}.json", step.name()))
    }

    /// Whether somebody has finished the task; its files are taken on trust.
    pub fn has_record(&self, step: Step, index: usize) -> bool {
        self.record_path(step, index).exists()
    }

    /// The record of a finished task.
    pub fn record(&self, step: Step, index: usize) -> Result<TaskRecord, JobError> {
        let path = self.record_path(step, index);
        let read = || -> io::Result<TaskRecord> { Ok(serde_json::from_slice(&fs::read(&path)?)?) };
        read().map_err(JobError::at(&path))
    }

    /// Whether the task is finished and its files are as it left them.
    pub fn is_intact(&self, step: Step, index: usize) -> bool {
        let record = self.record(step, index);
        record.is_ok_and(|record| record.files.iter().all(|file| self.agrees(file).unwrap_or(false)))
    }

    fn agrees(&self, written: &WrittenFile) -> io::Result<bool> {
        let path = self.folder.join(&written.name);
        Ok(fs::metadata(&path)?.len() == written.n_bytes && checksum(&path)? == written.checksum)
    }

    /// Notes that a task is done. Its files must be complete.
    pub fn finish(&self, step: Step, index: usize, record: &TaskRecord) -> Result<(), JobError> {
        let path = self.record_path(step, index);
        let write = || -> io::Result<()> {
            let mut file = AtomicFile::create(&path)?;
            serde_json::to_writer(&mut file, record)?;
            file.finish()
        };
        write().map_err(JobError::at(&path))
    }

    /// Takes back that a task is done, so that the next process that starts does it again.
    pub fn forget(&self, step: Step, index: usize) {
        let _ = fs::remove_file(self.record_path(step, index));
    }

    /// Opens a file of the job for writing.
    pub fn create(&self, name: String) -> io::Result<Checksummed> {
        let file = AtomicFile::create(&self.folder.join(&name))?;
        Ok(Checksummed { file, name, n_bytes: 0, hasher: Xxh3::new() })
    }
}

/// A file that is written and summed at once.
pub(super) struct Checksummed {
    file: AtomicFile,
    name: String,
    n_bytes: u64,
    hasher: Xxh3,
}

impl Checksummed {
    /// Gives the file its name.
    pub fn finish(self) -> io::Result<WrittenFile> {
        self.file.finish()?;
        Ok(WrittenFile { name: self.name, n_bytes: self.n_bytes, checksum: hex(&self.hasher) })
    }
}

impl Write for Checksummed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        self.n_bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// XXH3 of a file, 128 bits in hexadecimal.
pub(super) fn checksum(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Xxh3::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hasher)),
            n => hasher.update(&buffer[..n]),
        }
    }
}

fn hex(hasher: &Xxh3) -> String {
    format!("{:032x}", hasher.digest128())
}
