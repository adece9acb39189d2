//! Data sets and models of Hugging Face by name: `hf:HuggingFaceFW/fineweb-edu/sample/10BT@main`.
//!
//! A data set there is a git repository with large files, and so is a model. [`Hub::list`] and [`Hub::model`] ask which files
//! it has and fix the commit, so that a run never mixes two versions; nothing is downloaded until [`Dataset::fetch`] or
//! [`ModelFiles::fetch`] is called. So a caller can say first what is fetched, how large it is and where it is kept (their
//! `Display`), and fetch files as it needs them.
//!
//! Files are kept in `$HF_HOME/llm-from-scratch/datasets` (or `models`), or in `~/.cache/llm-from-scratch`. A broken download
//! is resumed where it broke, in this process or the next; a finished one has the size and the SHA-256 that the hub names, or
//! it is deleted. The hub names no SHA-256 for small files outside its large-file storage; there the size has to do.
//!
//! Environment: `HF_ENDPOINT` (a mirror), `HF_TOKEN` (for what lies behind a licence), `HF_HOME`.
//! Source: huggingface.co/docs/hub/api, and the `resolve` addresses of the repositories.

mod download;
mod model;
mod name;

pub use model::{ModelFiles, ModelName};
pub use name::DatasetName;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::read::{FileKind, InputFile};

/// An answer to the listing may be this large; a page of it has a thousand files.
const MAX_ANSWER_BYTES: u64 = 64 << 20;
/// Pages of a listing; more would be ten million files.
const MAX_PAGES: usize = 10_000;

/// Where data sets and models are asked for, and where they are kept.
#[derive(Debug, Clone)]
pub struct Hub {
    /// `https://huggingface.co`, without a slash at the end.
    pub endpoint: String,
    /// Sent as a bearer token to the endpoint alone.
    pub token: Option<String>,
    /// The folder in which `datasets` and `models` lie.
    pub cache: PathBuf,
    agent: ureq::Agent,
}

/// A data set at one commit: its files that can be read.
// ANCHOR: dataset
#[derive(Debug, Clone)]
pub struct Dataset {
    /// As it was asked for.
    pub name: DatasetName,
    /// The commit that its revision stood for.
    pub commit: String,
    /// In the order of their paths.
    pub shards: Vec<Shard>,
    /// Where the shards are kept.
    pub folder: PathBuf,
    hub: Hub,
}

/// One file of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// Where it is and how large.
    pub file: HubFile,
    /// What its name promises.
    pub kind: FileKind,
}

/// A file of a repository, as the hub describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubFile {
    /// Relative to the repository, with `/`.
    pub path: String,
    /// Its size.
    pub n_bytes: u64,
    /// Of its content, in hexadecimal; `None` for a file outside the large-file storage.
    pub sha256: Option<String>,
}
// ANCHOR_END: dataset

/// Why a data set or a model cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The name is not of the form that is asked for.
    #[error("{name:?} is no data set; write hf:OWNER/NAME, hf:OWNER/NAME/FOLDER or hf:OWNER/NAME@REVISION")]
    Name {
        /// As it was given.
        name: String,
    },
    /// The hub says no.
    #[error("{url} answers {status}; {advice}")]
    Status {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What to do about it.
        advice: &'static str,
    },
    /// No connection, or an answer that cannot be understood.
    #[error("{url}: {reason}")]
    Answer {
        /// What was asked for.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The data set has no file that can be read, or none in that folder.
    #[error("{name} has no readable file; its folders are: {folders}")]
    NoFiles {
        /// As it was asked for.
        name: DatasetName,
        /// Some of the folders that have readable files.
        folders: String,
    },
    /// The name is not of the form that is asked for.
    #[error("{name:?} is no model; write OWNER/NAME, OWNER/NAME@REVISION or OWNER/NAME/FILE.gguf")]
    ModelName {
        /// As it was given.
        name: String,
    },
    /// The model has no weights that can be read.
    #[error("{name} has no {wanted}; {instead}")]
    NoWeights {
        /// As it was asked for.
        name: String,
        /// What was looked for.
        wanted: String,
        /// What it has instead.
        instead: String,
    },
    /// What was downloaded is not what the hub names; it was deleted.
    #[error("{url}: expected {expected}, downloaded {found}; it was deleted: try again, or another revision")]
    Damaged {
        /// What was downloaded.
        url: String,
        /// The size or hash that the hub names.
        expected: String,
        /// The size or hash of what came.
        found: String,
    },
    /// The cache cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl Hub {
    /// The hub that the environment names.
    #[must_use]
    pub fn from_env() -> Hub {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let endpoint = variable("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned());
        let caches = variable("HF_HOME").or_else(|| variable("XDG_CACHE_HOME"));
        let caches = caches.map(PathBuf::from).or_else(|| Some(std::env::home_dir()?.join(".cache")));
        let cache = caches.unwrap_or_default().join("llm-from-scratch");
        Hub::new(&endpoint, variable("HF_TOKEN"), &cache)
    }

    /// A hub at `endpoint` whose data sets and models are kept below `cache`.
    #[must_use]
    pub fn new(endpoint: &str, token: Option<String>, cache: &Path) -> Hub {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(Duration::from_secs(30)))
            .timeout_recv_response(Some(Duration::from_secs(60)))
            // A stalled download ends after this time and is resumed.
            .timeout_recv_body(Some(Duration::from_secs(900)))
            .user_agent("llm-from-scratch")
            .build();
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        Hub { endpoint, token, cache: cache.to_owned(), agent: config.into() }
    }

    /// Asks which files a data set has. Downloads none.
    ///
    /// # Errors
    /// When the data set or its revision is unknown or closed, the hub cannot be reached, or no file can be read.
    // ANCHOR: list
    pub fn list(&self, name: &DatasetName) -> Result<Dataset, HubError> {
        let (commit, files) = self.files_of("datasets", &name.repository(), &name.revision)?;
        let mut shards: Vec<Shard> = files.into_iter().filter_map(Shard::of).collect();
        let folders = some_folders(&shards);
        shards.retain(|shard| name.includes(&shard.file.path));
        if shards.is_empty() {
            return Err(HubError::NoFiles { name: name.clone(), folders });
        }
        let folder = self.cache.join("datasets").join(&name.owner).join(&name.name).join(&commit);
        Ok(Dataset { name: name.clone(), commit, shards, folder, hub: self.clone() })
    }

    /// The commit that `revision` stands for, and all files of the repository there, in the order of their paths; `kind` is
    /// `datasets` or `models`.
    fn files_of(&self, kind: &str, repository: &str, revision: &str) -> Result<(String, Vec<HubFile>), HubError> {
        let api = format!("{}/api/{kind}/{repository}", self.endpoint);
        let Revision { sha: commit } = self.get_json(&format!("{api}/revision/{revision}"))?.0;
        if commit.is_empty() || !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(HubError::Answer { url: api, reason: format!("{commit:?} is no commit") });
        }
        let mut files = Vec::new();
        let mut next = Some(format!("{api}/tree/{commit}?recursive=true"));
        for _ in 0..MAX_PAGES {
            let Some(url) = next.take() else { break };
            let (entries, following): (Vec<Entry>, _) = self.get_json(&url)?;
            files.extend(entries.into_iter().filter_map(HubFile::of));
            next = following;
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok((commit, files))
    }
    // ANCHOR_END: list

    fn get_json<T: for<'a> Deserialize<'a>>(&self, url: &str) -> Result<(T, Option<String>), HubError> {
        let wrong = |reason: String| HubError::Answer { url: url.to_owned(), reason };
        let mut answer = self.get(url, 0)?;
        let link = answer.headers().get("link").and_then(|link| link.to_str().ok());
        let next = link.and_then(|link| next_page(link, &self.endpoint));
        let body = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec();
        let value = serde_json::from_slice(&body.map_err(|error| wrong(error.to_string()))?);
        Ok((value.map_err(|error| wrong(format!("not the JSON that was expected: {error}")))?, next))
    }

    /// Asks for `url` from a byte on; anything but success is an error.
    fn get(&self, url: &str, from_byte: u64) -> Result<ureq::http::Response<ureq::Body>, HubError> {
        let mut request = self.agent.get(url);
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        if from_byte > 0 {
            request = request.header("Range", format!("bytes={from_byte}-"));
        }
        let wrong = |error: ureq::Error| HubError::Answer { url: url.to_owned(), reason: error.to_string() };
        let answer = request.call().map_err(wrong)?;
        let status = answer.status().as_u16();
        if answer.status().is_success() {
            return Ok(answer);
        }
        let advice = match status {
            401 | 403 => "it may need an account: accept its terms on its page and set HF_TOKEN",
            404 => "check the name and the revision, and set HF_TOKEN if it is private",
            429 => "too many requests: wait, or set HF_TOKEN",
            _ => "try again later, or set HF_ENDPOINT to a mirror",
        };
        Err(HubError::Status { url: url.to_owned(), status, advice })
    }
}

impl Dataset {
    /// The size of all shards.
    #[must_use]
    pub fn n_bytes(&self) -> u64 {
        self.shards.iter().map(|shard| shard.file.n_bytes).sum()
    }

    /// The shard on disk, downloaded unless it is there; `progress` hears how many of its bytes are.
    ///
    /// # Errors
    /// When the download breaks off again and again without a byte more, or what came is not what the hub names.
    pub fn fetch(&self, shard: &Shard, progress: &dyn Fn(u64)) -> Result<InputFile, HubError> {
        let Shard { file, kind } = shard;
        let path = self.folder.join(&file.path);
        let repository = self.name.repository();
        let url = format!("{}/datasets/{repository}/resolve/{}/{}", self.hub.endpoint, self.commit, file.path);
        download::download(&self.hub, &url, file, &path, progress)?;
        Ok(InputFile { path, id: file.path.clone(), kind: *kind, n_bytes: file.n_bytes })
    }
}

impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n_shards, megabytes) = (self.shards.len(), self.n_bytes() as f64 / 1e6);
        let commit = &self.commit[..self.commit.len().min(8)];
        let folder = self.folder.display();
        write!(f, "{} at commit {commit}: {n_shards} files, {megabytes:.1} MB, kept in {folder}", self.name)
    }
}

#[derive(Deserialize)]
struct Revision {
    sha: String,
}

/// A line of the hub's listing.
#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    #[serde(default)]
    size: u64,
    lfs: Option<LargeFile>,
}

#[derive(Deserialize)]
struct LargeFile {
    oid: String,
    size: u64,
}

impl HubFile {
    /// A file that stays inside its folder.
    fn of(entry: Entry) -> Option<HubFile> {
        let is_inside = entry.path.split('/').all(|part| !part.starts_with('.') && !part.is_empty());
        let has_strange = entry.path.contains(['\\', '?', '#', '%']) || entry.path.contains(char::is_control);
        if entry.kind != "file" || !is_inside || has_strange {
            return None;
        }
        let (n_bytes, sha256) = entry.lfs.map_or((entry.size, None), |large| (large.size, Some(large.oid)));
        Some(HubFile { path: entry.path, n_bytes, sha256 })
    }
}

impl Shard {
    /// A file that can be read. Texts about the data set are no data.
    fn of(file: HubFile) -> Option<Shard> {
        let kind = FileKind::of_name(Path::new(&file.path))?;
        (!file.path.to_ascii_lowercase().ends_with(".md")).then_some(Shard { file, kind })
    }
}

/// The address in `<https://…>; rel="next"`, if it leads to the same hub.
fn next_page(link: &str, endpoint: &str) -> Option<String> {
    let next = link.split(',').find(|part| part.contains("rel=\"next\""))?;
    let url = next.trim().strip_prefix('<')?.split('>').next()?;
    url.starts_with(endpoint).then(|| url.to_owned())
}

fn some_folders(shards: &[Shard]) -> String {
    let mut folders: Vec<&str> = shards.iter().filter_map(|shard| Some(shard.file.path.rsplit_once('/')?.0)).collect();
    folders.dedup();
    let n_more = folders.len().saturating_sub(10);
    folders.truncate(10);
    match (folders.is_empty(), n_more) {
        (true, _) => "none".to_owned(),
        (false, 0) => folders.join(", "),
        (false, n_more) => format!("{} and {n_more} more", folders.join(", ")),
    }
}
