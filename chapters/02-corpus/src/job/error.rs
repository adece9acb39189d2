//! Why a job stops, and how it goes on.

use std::io;
use std::path::{Path, PathBuf};

use super::{Shard, Step};
use crate::setting::InvalidSetting;

/// Why a job stopped.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A setting outside its range.
    #[error(transparent)]
    Setting(#[from] InvalidSetting),
    /// The folder holds another job.
    #[error("{} was begun differently, in {what}; give the same settings and inputs, or another --out", folder.display())]
    Changed {
        /// The job's folder.
        folder: PathBuf,
        /// What differs.
        what: String,
    },
    /// A file is not as it was written.
    #[error("{} is damaged; start again, and what made it will be done again", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
    },
    /// Other processes have work left before this one can go on.
    #[error("this shard's work is done so far, but others have {n_missing} of {n_tasks} tasks of step {} left (the first is {first}); start it again when they are done, or with --wait", step.name())]
    Waiting {
        /// The step.
        step: Step,
        /// Tasks without a record.
        n_missing: usize,
        /// All tasks of the step.
        n_tasks: usize,
        /// The first without a record.
        first: usize,
    },
    /// A process that others wait for says nothing any more.
    #[error("shard {shard} has been silent for {silence_s} s ({who}), and others are waiting for its share of {n_missing} of {n_tasks} tasks of step {} (the first is {first}); give the same command with --shard {shard} again, then this one", step.name())]
    Silent {
        /// Which, as `I/N`.
        shard: Shard,
        /// For how long.
        silence_s: u64,
        /// The process that it was.
        who: String,
        /// The step.
        step: Step,
        /// Tasks without a record.
        n_missing: usize,
        /// All tasks of the step.
        n_tasks: usize,
        /// The first without a record.
        first: usize,
    },
    /// Too large for 32-bit numbers.
    #[error("{n} pages are more than one job can number (2^32); split the input into several jobs")]
    TooManyPages {
        /// Pages after the filters.
        n: u64,
    },
}

impl JobError {
    /// Adds the path to an I/O error.
    pub(crate) fn at(path: &Path) -> impl Fn(io::Error) -> JobError + '_ {
        move |source| JobError::Io { path: path.to_owned(), source }
    }
}
