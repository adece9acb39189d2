//! Why a mixture is not written, and how it can be.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::MixtureError;
use crate::job::JobError;

/// Why there is no mixture.
#[derive(Debug, Error)]
pub enum MixError {
    /// The settings or the sources' sizes allow none.
    #[error(transparent)]
    Mixture(#[from] MixtureError),
    /// A source that is not there, or has no files.
    #[error("source {name}: {reason}")]
    Source {
        /// The source's name.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A source without documents.
    #[error("source {name}: {} has no document for training; leave it out, or give another path", path.display())]
    Empty {
        /// The source's name.
        name: String,
        /// Its path.
        path: PathBuf,
    },
    /// A source that cannot be read at any place.
    #[error("source {name}: {} is no plain file of JSON lines; llm corpus build --input {} --out DIR makes one", path.display(), path.display())]
    NotPlain {
        /// The source's name.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// There is something where the mixture should go.
    #[error("{} is there already; remove it, or choose another --out", folder.display())]
    Exists {
        /// The folder.
        folder: PathBuf,
    },
    /// Another process writes the same mixture.
    #[error("another process is writing {}; wait for it, or choose another --out", folder.display())]
    Busy {
        /// The folder.
        folder: PathBuf,
    },
    /// A source is not as it was when it was measured.
    #[error("{} has changed while it was read; start again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl MixError {
    /// Whether the request cannot be met as it is, rather than failed on the way.
    pub fn is_wrong_request(&self) -> bool {
        !matches!(self, Self::Io { .. } | Self::Changed { .. })
    }

    pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    pub(super) fn unfinished(name: &str, path: &Path, error: &JobError) -> Self {
        let reason = format!("the job in {} is not finished: {error}", path.display());
        Self::Source { name: name.to_string(), reason }
    }
}
