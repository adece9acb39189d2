//! Step 8: the sum of all tasks, and how far a job has come.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::alive;
use super::manifest::Manifest;
use super::tasks::{TaskRecord, Tasks};
use super::{Job, JobError, Step};
use crate::contamination::ContaminationReport;
use crate::funnel::Funnel;
use crate::pipeline::Stage;
use crate::rule_table::RuleTable;
use crate::tally::FilterTally;

/// Unreadable records that the report names.
const MAX_NAMED: usize = 100;

const REPORT: &str = "report.json";

/// What a finished job has made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobReport {
    /// Documents and bytes through the stages.
    pub funnel: Funnel,
    /// Which rule rejected what, with samples.
    pub rules: RuleTable,
    /// Which questions of the exam were on which pages.
    pub contamination: ContaminationReport,
    /// Documents in `train/`.
    pub n_training: usize,
    /// Bytes of their text.
    pub training_bytes: usize,
    /// Documents in `held_out/`.
    pub n_held_out: usize,
    /// Records and files that could not be read.
    pub n_skipped: usize,
    /// The first of them.
    pub skipped: Vec<String>,
}

impl JobReport {
    /// Documents that are left.
    pub fn n_left(&self) -> usize {
        self.n_training + self.n_held_out
    }

    /// The reason for which most documents went, its stage, and how many they were.
    pub fn first_reason(&self) -> Option<(Stage, &str, usize)> {
        let reasons = self.funnel.stages.iter().flat_map(|report| {
            report.reasons.iter().map(move |(reason, &n_documents)| (report.stage, reason.as_str(), n_documents))
        });
        reasons.max_by_key(|(_, _, n_documents)| *n_documents)
    }
}

impl Job {
    /// Adds up what all tasks have noted.
    pub(super) fn report(&self) -> Result<TaskRecord, JobError> {
        self.sweep().map_err(JobError::at(&self.folder))?;
        let mut report = JobReport {
            funnel: Funnel::default(),
            rules: RuleTable::default(),
            contamination: ContaminationReport::default(),
            n_training: 0,
            training_bytes: 0,
            n_held_out: 0,
            n_skipped: 0,
            skipped: Vec::new(),
        };
        for step in [Step::Filter, Step::Write] {
            let mut total: Option<FilterTally> = None;
            for part in 0..self.manifest.n_parts() {
                let record = self.tasks.record(step, part)?;
                let tally = FilterTally { stages: record.stages, rules: record.rules };
                match &mut total {
                    Some(total) => total.merge(&tally),
                    None => total = Some(tally),
                }
                report.n_skipped += record.n_skipped;
                report.skipped.extend(record.skipped.into_iter().take(MAX_NAMED - report.skipped.len().min(MAX_NAMED)));
                if step == Step::Write {
                    report.n_training += record.n_documents;
                    report.training_bytes += record.training_bytes;
                    report.n_held_out += record.n_held_out;
                    report.contamination.merge(&record.contamination);
                }
            }
            if let Some(total) = total {
                report.rules.merge(&total.rules);
                report.funnel.stages.extend(total.stages);
            }
        }
        let write = || -> io::Result<_> {
            let mut file = self.tasks.create(REPORT.to_string())?;
            serde_json::to_writer_pretty(&mut file, &report)?;
            file.write_all(b"\n")?;
            file.finish()
        };
        let file = write().map_err(JobError::at(&self.path(REPORT)))?;
        Ok(TaskRecord { files: vec![file], ..TaskRecord::default() })
    }
}

impl Job {
    /// Removes what killed processes left half-written. Nobody writes any more when the report is due.
    fn sweep(&self) -> io::Result<()> {
        // Shards that still wait for the report say again that they are alive, and remove that themselves.
        let _ = fs::remove_dir_all(self.folder.join(alive::FOLDER));
        for folder in ["work", "tasks", "train", "held_out", "."] {
            for entry in fs::read_dir(self.folder.join(folder))? {
                let entry = entry?;
                let name = entry.file_name();
                let name = name.to_string_lossy();
                if name.starts_with('.') && name.ends_with(".tmp") {
                    fs::remove_file(entry.path())?;
                }
            }
        }
        Ok(())
    }
}

/// The report of the finished job in `folder`.
///
/// # Errors
/// There is no job, or it is not finished: then [`JobError::Waiting`] says how far it is.
pub fn read_report(folder: &Path) -> Result<JobReport, JobError> {
    let path = folder.join(REPORT);
    if !path.exists() {
        let manifest = Manifest::read(folder)?;
        let tasks = Tasks::new(folder);
        for step in Step::ALL {
            let n_tasks = manifest.n_tasks(step);
            let mut missing = (0..n_tasks).filter(|&task| !tasks.has_record(step, task));
            if let Some(first) = missing.next() {
                return Err(JobError::Waiting { step, n_missing: 1 + missing.count(), n_tasks, first });
            }
        }
    }
    let read = || -> io::Result<JobReport> { Ok(serde_json::from_slice(&fs::read(&path)?)?) };
    read().map_err(JobError::at(&path))
}

impl fmt::Display for JobReport {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if self.n_skipped > 0 {
            writeln!(f, "{} records could not be read or had no text", self.n_skipped)?;
        }
        for problem in self.skipped.iter().take(5) {
            writeln!(f, "skipped: {problem}")?;
        }
        let megabytes = self.training_bytes as f64 / 1e6;
        write!(
            f,
            "{}\n{} documents ({megabytes:.1} MB) for training, {} held out",
            self.funnel, self.n_training, self.n_held_out
        )
    }
}
