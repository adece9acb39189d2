//! A file that appears under its name complete, or not at all.
//!
//! A program that is killed while it writes `corpus.jsonl` must not leave half a file that the next run takes for a
//! whole one. So everything is written to a neighbour with a temporary name, forced to disk, and renamed at the end:
//! a rename within one folder is atomic on every file system in use (POSIX `rename`). A writer that is dropped before
//! [`AtomicFile::finish`] removes its temporary file and leaves what was there before.

use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// A buffered writer whose file takes its final name in [`AtomicFile::finish`].
// ANCHOR: atomic_file
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    temporary: PathBuf,
    /// `None` once finished, so that `Drop` knows there is nothing to remove.
    writer: Option<BufWriter<File>>,
}

impl AtomicFile {
    /// Opens the temporary neighbour of `path`, creating missing folders.
    ///
    /// # Errors
    /// When the folder or the file cannot be created; the message names the path.
    pub fn create(path: &Path) -> io::Result<AtomicFile> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| name_path(folder, &error))?;
        }
        let temporary = temporary_name(path)?;
        let file = File::create(&temporary).map_err(|error| name_path(&temporary, &error))?;
        let writer = Some(BufWriter::with_capacity(1 << 16, file));
        Ok(AtomicFile { path: path.to_owned(), temporary, writer })
    }

    /// Forces everything to disk and gives the file its final name.
    ///
    /// # Errors
    /// When the disk is full or the rename fails; the old file, if there was one, is then untouched.
    pub fn finish(mut self) -> io::Result<()> {
        if let Some(writer) = self.writer.take() {
            let finished = writer
                .into_inner()
                .map_err(|error| error.into_error())
                .and_then(|file| file.sync_all())
                .and_then(|()| fs::rename(&self.temporary, &self.path));
            if let Err(error) = finished {
                let _ = fs::remove_file(&self.temporary);
                return Err(name_path(&self.path, &error));
            }
        }
        Ok(())
    }
}
// ANCHOR_END: atomic_file

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.writer {
            Some(writer) => writer.write(bytes).map_err(|error| name_path(&self.path, &error)),
            None => Err(io::Error::other("this file is already finished")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.writer {
            Some(writer) => writer.flush().map_err(|error| name_path(&self.path, &error)),
            None => Ok(()),
        }
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if self.writer.take().is_some() {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// `corpus.jsonl` becomes `.corpus.jsonl.<process>-<random>.tmp` in the same folder. Two machines that write to one disk may
/// have processes of the same number, and two threads have it always, so there is something random in it too.
fn temporary_name(path: &Path) -> io::Result<PathBuf> {
    let Some(name) = path.file_name() else {
        let message = format!("cannot write to {}: it names no file", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    };
    let random = RandomState::new().build_hasher().finish();
    let hidden = format!(".{}.{}-{random:016x}.tmp", name.to_string_lossy(), std::process::id());
    Ok(path.with_file_name(hidden))
}

fn name_path(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write {}: {error}", path.display()))
}
