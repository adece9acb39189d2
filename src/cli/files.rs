//! Files that a command writes where the user says.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Makes the folder that a file or folder is to stand in, with all folders above it.
///
/// # Errors
/// If it cannot be made; the message names it.
pub(super) fn create_parent(path: &Path) -> Result<()> {
    match path.parent().filter(|above| !above.as_os_str().is_empty()) {
        Some(above) => fs::create_dir_all(above).with_context(|| format!("cannot create {}", above.display())),
        None => Ok(()),
    }
}

/// Writes a file, in a folder that need not exist yet.
///
/// # Errors
/// If it cannot be written; the message names it.
pub(super) fn write(path: &Path, contents: &str) -> Result<()> {
    create_parent(path)?;
    fs::write(path, contents).with_context(|| format!("cannot write {}", path.display()))
}
