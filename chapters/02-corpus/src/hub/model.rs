//! A model by name: `HuggingFaceTB/SmolLM2-135M-Instruct`, `OWNER/NAME@REVISION`, or `OWNER/NAME/FILE.gguf`.
//!
//! Of a repository's files only those are fetched that a model folder of ours is read from: weights as safetensors with
//! their configuration and tokenizer; or the one GGUF file that was named. Weights as pickle (`.bin`, `.pt`) are left alone:
//! to read one is to run what it says.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::{DatasetName, Hub, HubError, HubFile, download};

/// What a model folder is read from, besides its weights.
const COMPANIONS: [&str; 6] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "model.safetensors.index.json",
];

/// A model, or one file of it, at a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelName {
    /// The user or organisation.
    pub owner: String,
    /// The model.
    pub name: String,
    /// A GGUF file of it.
    pub gguf: Option<String>,
    /// A branch, tag or commit.
    pub revision: String,
}

impl FromStr for ModelName {
    type Err = HubError;

    fn from_str(text: &str) -> Result<Self, HubError> {
        let wrong = || HubError::ModelName { name: text.to_owned() };
        let DatasetName { owner, name, folder: gguf, revision } = text.parse().map_err(|_| wrong())?;
        match &gguf {
            Some(file) if !file.ends_with(".gguf") => Err(wrong()),
            _ => Ok(Self { owner, name, gguf, revision }),
        }
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { owner, name, gguf, revision } = self.clone();
        write!(f, "{}", DatasetName { owner, name, folder: gguf, revision })
    }
}

/// The files of a model at one commit.
#[derive(Debug, Clone)]
pub struct ModelFiles {
    /// As it was asked for.
    pub name: ModelName,
    /// The commit that its revision stood for.
    pub commit: String,
    /// In the order of their paths.
    pub files: Vec<HubFile>,
    /// Where they are kept.
    pub folder: PathBuf,
    hub: Hub,
}

impl Hub {
    /// Asks which files a model has. Downloads none.
    ///
    /// # Errors
    /// When the model or its revision is unknown or closed, the hub cannot be reached, or it has no weights that we read.
    // ANCHOR: model
    pub fn model(&self, name: &ModelName) -> Result<ModelFiles, HubError> {
        let repository = format!("{}/{}", name.owner, name.name);
        let (commit, all) = self.files_of("models", &repository, &name.revision)?;
        let is_weights = |path: &str| match &name.gguf {
            Some(gguf) => path == gguf,
            None => is_model_weights(path),
        };
        let is_companion = |path: &str| name.gguf.is_none() && COMPANIONS.contains(&path);
        if !all.iter().any(|file| is_weights(&file.path)) {
            let wanted = name.gguf.clone().unwrap_or_else(|| "model.safetensors".to_owned());
            return Err(HubError::NoWeights { name: name.to_string(), wanted, instead: instead(&all) });
        }
        let files = all.into_iter().filter(|file| is_weights(&file.path) || is_companion(&file.path)).collect();
        let folder = self.cache.join("models").join(&name.owner).join(&name.name).join(&commit);
        Ok(ModelFiles { name: name.clone(), commit, files, folder, hub: self.clone() })
    }
    // ANCHOR_END: model
}

/// Some repositories hold the same weights once more under other names, for other programs.
fn is_model_weights(path: &str) -> bool {
    path.starts_with("model") && path.ends_with(".safetensors") && !path.contains('/')
}

/// What a repository without the weights that were looked for has.
fn instead(files: &[HubFile]) -> String {
    let some = |ending: &[&str]| -> Vec<&str> {
        let of_kind = |file: &&HubFile| ending.iter().any(|ending| file.path.ends_with(ending));
        files.iter().filter(of_kind).map(|file| file.path.as_str()).take(10).collect()
    };
    let (gguf, pickles) = (some(&[".gguf"]), some(&[".bin", ".pt", ".pth"]));
    if !gguf.is_empty() {
        return format!("name one of its GGUF files, as OWNER/NAME/FILE: {}", gguf.join(", "));
    }
    if files.iter().any(|file| is_model_weights(&file.path)) {
        return "it has safetensors: import OWNER/NAME".to_owned();
    }
    if !pickles.is_empty() {
        return format!(
            "its weights are pickles ({}), which are programs: look for a safetensors copy",
            pickles.join(", ")
        );
    }
    "it has no weights at all: check the name".to_owned()
}

impl ModelFiles {
    /// The size of all files.
    #[must_use]
    pub fn n_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.n_bytes).sum()
    }

    /// The model folder, or the GGUF file, on disk; what is not there yet is downloaded. `progress` hears which file is on its
    /// way, and how many bytes of all are there.
    ///
    /// # Errors
    /// When a download breaks off again and again without a byte more, or what came is not what the hub names.
    pub fn fetch(&self, progress: &dyn Fn(&str, u64)) -> Result<PathBuf, HubError> {
        let ModelName { owner, name, gguf, .. } = &self.name;
        let mut n_before = 0;
        for file in &self.files {
            let url = format!("{}/{owner}/{name}/resolve/{}/{}", self.hub.endpoint, self.commit, file.path);
            let told = |n_bytes| progress(&file.path, n_before + n_bytes);
            download::download(&self.hub, &url, file, &self.folder.join(&file.path), &told)?;
            n_before += file.n_bytes;
        }
        Ok(gguf.as_ref().map_or_else(|| self.folder.clone(), |gguf| self.folder.join(gguf)))
    }
}

impl fmt::Display for ModelFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n_files, megabytes) = (self.files.len(), self.n_bytes() as f64 / 1e6);
        let commit = &self.commit[..self.commit.len().min(8)];
        let folder = self.folder.display();
        write!(f, "{} at commit {commit}: {n_files} files, {megabytes:.1} MB, kept in {folder}", self.name)
    }
}
