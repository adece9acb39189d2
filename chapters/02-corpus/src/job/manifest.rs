//! The plan of a job, fixed when it is first started: settings, inputs, and how they are cut into tasks.
//!
//! Tasks must be the same for every process that works on the job, today and after a crash. So the plan is a file, made from
//! the listing of the inputs and the settings alone. It does not know how many processes or threads there are. A process that
//! is started with other settings, or finds other inputs, is told what differs instead of mixing two corpora.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::tasks::checksum;
use super::{JobConfig, JobError, Step};
use crate::atomic_file::AtomicFile;
use crate::decontaminate::TestItem;
use crate::read::InputFile;

/// Grows when an older job can no longer be continued.
const VERSION: u32 = 2;

/// The plan. Serialised as `manifest.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub version: u32,
    pub config: JobConfig,
    /// Hash of the exam's items.
    pub exam: String,
    /// The files that the settings name, as they were.
    pub files: Vec<SettingFile>,
    pub inputs: Vec<Input>,
    /// For each part the number of the first input behind it.
    pub part_ends: Vec<usize>,
    /// Ranges into which hashes are cut.
    pub n_ranges: usize,
}

/// A list or a model that a setting names. Its path says nothing: lists are edited and models trained again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SettingFile {
    pub setting: String,
    pub path: PathBuf,
    /// XXH3 of all bytes, 128 bits in hexadecimal.
    pub checksum: String,
}

/// One input file as it was when the job was planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Input {
    pub id: String,
    pub n_bytes: u64,
    /// Seconds since 1970.
    pub modified_s: u64,
}

impl Manifest {
    /// Plans a job over the files in their order.
    pub fn plan(files: &[InputFile], config: &JobConfig, exam: &[TestItem]) -> Result<Self, JobError> {
        let inputs: Vec<Input> = files.iter().map(input).collect::<Result<_, _>>()?;
        let total: u64 = inputs.iter().map(|input| input.n_bytes).sum();
        let exam = serde_json::to_vec(exam).map_err(io::Error::from).map_err(JobError::at(Path::new("the exam")))?;
        Ok(Self {
            version: VERSION,
            config: config.clone(),
            exam: format!("{:032x}", xxh3_128(&exam)),
            files: config.pipeline.files().into_iter().map(setting_file).collect::<Result<_, _>>()?,
            part_ends: part_ends(&inputs, config.part_bytes),
            n_ranges: Self::n_ranges(total, config),
            inputs,
        })
    }

    /// The ranges for an input of this size.
    pub fn n_ranges(input_bytes: u64, config: &JobConfig) -> usize {
        input_bytes.div_ceil(config.range_bytes).clamp(1, 1 << 16) as usize
    }

    /// The numbers of a part's inputs.
    pub fn inputs_of(&self, part: usize) -> std::ops::Range<usize> {
        let start = if part == 0 { 0 } else { self.part_ends[part - 1] };
        start..self.part_ends[part]
    }

    /// The number of a step's tasks.
    pub fn n_tasks(&self, step: Step) -> usize {
        match step {
            Step::Filter | Step::Write => self.n_parts(),
            Step::Exact | Step::Near => self.n_ranges,
            Step::Paragraphs if self.config.pipeline.paragraph.enabled => self.n_ranges,
            Step::Paragraphs => 0,
            Step::Substring => usize::from(self.config.pipeline.substring.enabled),
            Step::Clusters | Step::Report => 1,
        }
    }

    pub fn n_parts(&self) -> usize {
        self.part_ends.len()
    }

    /// Writes the plan, or checks that it is the one that the folder has already.
    pub fn write_or_compare(&self, folder: &Path) -> Result<(), JobError> {
        let path = folder.join("manifest.json");
        if path.exists() {
            return match self.difference(&Self::read(folder)?) {
                None => Ok(()),
                Some(what) => Err(JobError::Changed { folder: folder.to_owned(), what }),
            };
        }
        let write = || -> io::Result<()> {
            let mut file = AtomicFile::create(&path)?;
            serde_json::to_writer_pretty(&mut file, self)?;
            file.finish()
        };
        write().map_err(JobError::at(&path))
    }

    pub fn read(folder: &Path) -> Result<Self, JobError> {
        let path = folder.join("manifest.json");
        let read = || -> io::Result<Self> { Ok(serde_json::from_slice(&fs::read(&path)?)?) };
        read().map_err(JobError::at(&path))
    }

    /// What is not as in `earlier`, in words.
    fn difference(&self, earlier: &Self) -> Option<String> {
        if self == earlier {
            return None;
        }
        if self.version != earlier.version {
            return Some(format!("its format is version {}, this program's {}", earlier.version, self.version));
        }
        if self.config != earlier.config {
            return Some(format!("the settings: {}", config_difference(&self.config, &earlier.config)));
        }
        if self.exam != earlier.exam {
            return Some("the exam's items".to_string());
        }
        // The settings are equal, so the same files stand in both.
        if let Some((now, _)) = self.files.iter().zip(&earlier.files).find(|(now, then)| now != then) {
            return Some(format!("what {} of pipeline.{} holds", now.path.display(), now.setting));
        }
        let count = |manifest: &Self| manifest.inputs.len();
        let changed = self.inputs.iter().zip(&earlier.inputs).find(|(now, then)| now != then);
        Some(match changed {
            Some((now, then)) if now.id == then.id => format!("the input {} has changed since", now.id),
            Some((now, then)) => format!("the inputs: {} stands where {} was", now.id, then.id),
            None => format!("the number of inputs: {} now, {} then", count(self), count(earlier)),
        })
    }
}

/// Files are gathered in order until a part has `part_bytes`; a larger file is a part of its own.
fn part_ends(inputs: &[Input], part_bytes: u64) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut gathered = 0;
    for (i, input) in inputs.iter().enumerate() {
        if gathered > 0 && gathered + input.n_bytes > part_bytes {
            ends.push(i);
            gathered = 0;
        }
        gathered += input.n_bytes;
    }
    ends.push(inputs.len());
    ends
}

fn setting_file((setting, path): (&str, &Path)) -> Result<SettingFile, JobError> {
    let checksum = checksum(path).map_err(JobError::at(path))?;
    Ok(SettingFile { setting: setting.to_string(), path: path.to_owned(), checksum })
}

fn input(file: &InputFile) -> Result<Input, JobError> {
    let modified =
        fs::metadata(&file.path).and_then(|metadata| metadata.modified()).map_err(JobError::at(&file.path))?;
    let modified_s = modified.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Ok(Input { id: file.id.clone(), n_bytes: file.n_bytes, modified_s })
}

/// The first setting whose value differs, as JSON would name it.
fn config_difference(now: &JobConfig, then: &JobConfig) -> String {
    let value = |config: &JobConfig| serde_json::to_value(config).unwrap_or_default();
    first_difference("", &value(now), &value(then)).unwrap_or_else(|| "they differ".to_string())
}

fn first_difference(name: &str, now: &serde_json::Value, then: &serde_json::Value) -> Option<String> {
    match (now, then) {
        (serde_json::Value::Object(a), serde_json::Value::Object(b)) => a.iter().find_map(|(key, value)| {
            let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
            first_difference(&name, value, b.get(key).unwrap_or(&serde_json::Value::Null))
        }),
        _ if now == then => None,
        _ => Some(format!("{name} is {now} now, {then} then")),
    }
}
