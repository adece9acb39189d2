//! The name of a data set: `hf:OWNER/NAME[/FOLDER][@REVISION]`.

use std::fmt;
use std::str::FromStr;

use super::HubError;

/// A data set, or a folder of it, at a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetName {
    /// The user or organisation.
    pub owner: String,
    /// The data set.
    pub name: String,
    /// Only files below a folder of this name, at any depth: `sample/10BT`, or a language in most data sets of many.
    pub folder: Option<String>,
    /// A branch, tag or commit.
    pub revision: String,
}

impl DatasetName {
    /// What a user writes before the name.
    pub const PREFIX: &'static str = "hf:";

    /// `OWNER/NAME`.
    #[must_use]
    pub fn repository(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// Whether a file of the data set is asked for.
    pub(super) fn includes(&self, path: &str) -> bool {
        let inside = |folder: &String| format!("/{path}").contains(&format!("/{folder}/"));
        self.folder.as_ref().is_none_or(inside)
    }
}

impl FromStr for DatasetName {
    type Err = HubError;

    fn from_str(text: &str) -> Result<Self, HubError> {
        let wrong = || HubError::Name { name: text.to_owned() };
        let rest = text.strip_prefix(Self::PREFIX).unwrap_or(text);
        let (path, revision) = rest.split_once('@').unwrap_or((rest, "main"));
        let is_part = |part: &str| {
            let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
            !part.is_empty() && !part.starts_with('.') && part.bytes().all(is_letter)
        };
        let parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
        let [owner, name, folders @ ..] = &parts[..] else { return Err(wrong()) };
        if !parts.iter().all(|part| is_part(part)) || !is_part(revision) {
            return Err(wrong());
        }
        let folder = (!folders.is_empty()).then(|| folders.join("/"));
        Ok(DatasetName { owner: (*owner).to_owned(), name: (*name).to_owned(), folder, revision: revision.to_owned() })
    }
}

impl fmt::Display for DatasetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, self.repository())?;
        if let Some(folder) = &self.folder {
            write!(f, "/{folder}")?;
        }
        if self.revision == "main" { Ok(()) } else { write!(f, "@{}", self.revision) }
    }
}
