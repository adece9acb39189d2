//! A folder as a value, so that two can be compared.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Every file below `folder` with its bytes, by its path; without data cards, which bear the date.
pub fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let is_card = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("card."));
            if path.is_dir() {
                folders.push(path);
            } else if !is_card {
                let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    files
}
