//! Text that a command reads from a file or a folder of the user's.

use std::path::Path;

use anyhow::Result;
use corpus::read_folder;
use llm_from_scratch::request::WrongRequest;

/// The texts of all documents below `path`.
///
/// # Errors
/// If the path does not exist, or has nothing to read.
pub(crate) fn read_texts(path: &Path) -> Result<Vec<String>> {
    if !path.exists() {
        return Err(WrongRequest::new(format!("there is no file or folder {}", path.display())).into());
    }
    Ok(read_folder(path)?.documents.into_iter().map(|document| document.text).collect())
}
