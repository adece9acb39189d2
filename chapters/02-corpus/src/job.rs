//! A corpus that fits into no memory, cleaned by any number of processes that may be killed at any time.
//!
//! The work is cut into tasks, and each task is done by whoever comes to it: a thread, a process, a machine of a Slurm array.
//! The result must not depend on who did what. So every step is defined on sets, not on a history:
//!
//! | step | task | reads | writes |
//! |---|---|---|---|
//! | filter | a part of the input | its files | the pages that pass, their hashes, buckets and signatures |
//! | exact | a range of hashes | that range of every part | pages that repeat an earlier one |
//! | near | a range of buckets | that range of every part | edges (page, leader) |
//! | clusters | one | all edges | pages that are not the first of their cluster |
//! | paragraphs | a range of hashes | that range of every part | paragraphs that occurred before |
//! | substring | one, if asked for | all pages that are left | passages that occurred before |
//! | write | a part of the input | what the others found about it | `train/` and `held_out/` |
//! | report | one | all records | `report.json` |
//!
//! Parts and ranges follow from the listing of the inputs and the settings (`manifest.json`), never from the number of workers.
//! A task's outputs are complete files with checksums, noted in `tasks/`; a process that starts skips what is done, does
//! again what is damaged, and refuses a folder that was begun with other settings or inputs. The processes need a file
//! system in common and nothing else: no scheduler, no database. One that waits for others gives up a silent one
//! (`alive`). This is MapReduce (Dean and Ghemawat 2004) with files for the network.
//!
//! Memory: a filter task holds the rows of its part, a range task its range of all parts, and a process 4 bytes a document for the
//! clusters and 2 bits for what was dropped ([`plan`]). Repeated passages, if asked for, want all text that is left in
//! one place, and five bytes of memory a byte of it: that step is one task, and refuses more text than
//! `pipeline.substring.max_bytes`. Refused: more than $2^{32}$ pages in one job.

mod alive;
mod compare;
mod error;
mod filter;
mod manifest;
mod passages;
pub mod plan;
mod report;
mod rows;
mod shard;
mod tasks;
mod write;

pub use error::JobError;
pub use report::{JobReport, read_report};
pub use shard::{Others, Shard};

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::alive::{Alive, Watch};
use self::compare::Found;
use self::manifest::Manifest;
use self::tasks::{TaskRecord, Tasks};
use crate::decontaminate::{Decontaminator, TestItem};
use crate::filters::Filters;
use crate::minhash::Permutations;
use crate::pipeline::PipelineConfig;
use crate::read::InputFile;
use crate::setting::{InvalidSetting, holds, share};
use crate::split::HELD_OUT_SHARE;

/// How long a process waits before it looks again what the others have done.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The settings of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobConfig {
    /// The stages.
    pub pipeline: PipelineConfig,
    /// Share of documents put aside to measure on.
    pub held_out_share: f64,
    /// Input files are gathered into parts of this size; a larger file is a part of its own.
    pub part_bytes: u64,
    /// There is a range of hashes for so many bytes of input.
    pub range_bytes: u64,
}

impl Default for JobConfig {
    fn default() -> Self {
        Self {
            pipeline: PipelineConfig::default(),
            held_out_share: HELD_OUT_SHARE,
            part_bytes: 64 << 20,
            range_bytes: 512 << 20,
        }
    }
}

impl JobConfig {
    /// Checks all settings.
    ///
    /// # Errors
    /// The first setting outside its range.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        self.pipeline.validate()?;
        share("held_out_share", self.held_out_share)?;
        holds(self.part_bytes > 0, "part_bytes", self.part_bytes, "choose 1 or more")?;
        holds(self.range_bytes > 0, "range_bytes", self.range_bytes, "choose 1 or more")
    }
}

/// What a job does, in order; a step begins when the one before is finished everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Reading, extraction and the filters that look at one page.
    Filter,
    /// Copies.
    Exact,
    /// Near copies, bucket by bucket.
    Near,
    /// Near copies, joined.
    Clusters,
    /// Repeated paragraphs.
    Paragraphs,
    /// Repeated passages.
    Substring,
    /// What is left, in files.
    Write,
    /// The funnel.
    Report,
}

impl Step {
    /// All steps in order.
    pub const ALL: [Step; 8] = [
        Step::Filter,
        Step::Exact,
        Step::Near,
        Step::Clusters,
        Step::Paragraphs,
        Step::Substring,
        Step::Write,
        Step::Report,
    ];

    /// The name in file names.
    pub fn name(self) -> &'static str {
        match self {
            Step::Filter => "filter",
            Step::Exact => "exact",
            Step::Near => "near",
            Step::Clusters => "clusters",
            Step::Paragraphs => "paragraphs",
            Step::Substring => "substring",
            Step::Write => "write",
            Step::Report => "report",
        }
    }
}

/// Called with a step, the number of its tasks done and the number of all.
pub type JobProgress<'a> = &'a (dyn Fn(Step, usize, usize) + Sync);

/// A job in its folder.
pub struct Job {
    folder: PathBuf,
    files: Vec<InputFile>,
    manifest: Manifest,
    filters: Filters,
    permutations: Permutations,
    exam: Decontaminator,
    tasks: Tasks,
    found: Found,
}

// ANCHOR: job
impl Job {
    /// Plans the job, or continues the one in `folder`.
    ///
    /// # Errors
    /// A setting outside its range, a folder that was begun with other settings or inputs, a disk that fails.
    pub fn open(folder: &Path, files: Vec<InputFile>, config: &JobConfig, exam: &[TestItem]) -> Result<Self, JobError> {
        config.validate()?;
        let filters = Filters::new(&config.pipeline)?;
        let manifest = Manifest::plan(&files, config, exam)?;
        fs::create_dir_all(folder).map_err(JobError::at(folder))?;
        manifest.write_or_compare(folder)?;
        let permutations = Permutations::new(&config.pipeline.minhash);
        let exam = Decontaminator::new(exam, &config.pipeline.decontaminate);
        Ok(Self {
            folder: folder.to_owned(),
            files,
            manifest,
            filters,
            permutations,
            exam,
            tasks: Tasks::new(folder),
            found: Found::default(),
        })
    }

    /// Does this shard's tasks of all steps on `workers` threads, and reports when nothing is left to anyone.
    ///
    /// # Errors
    /// What stopped the first task that failed, or [`JobError::Waiting`]. The job can be started again.
    pub fn run(
        &self,
        shard: Shard,
        workers: usize,
        others: Others,
        progress: JobProgress,
    ) -> Result<JobReport, JobError> {
        let _alive = Alive::begin(&self.folder, shard);
        for step in Step::ALL {
            let n_tasks = self.manifest.n_tasks(step);
            let own: Vec<usize> = (0..n_tasks).filter(|task| task % shard.count == shard.index).collect();
            let n_done = AtomicUsize::new(0);
            each(&own, workers, |task| {
                if !self.tasks.is_intact(step, task) {
                    let record = self.work(step, task)?;
                    self.tasks.finish(step, task, &record)?;
                }
                progress(step, n_done.fetch_add(1, Ordering::Relaxed) + 1, own.len());
                Ok(())
            })?;
            self.meet(step, n_tasks, shard, others)?;
        }
        read_report(&self.folder)
    }

    fn work(&self, step: Step, task: usize) -> Result<TaskRecord, JobError> {
        match step {
            Step::Filter => self.filter(task),
            Step::Exact => self.find_copies(task),
            Step::Near => self.find_edges(task),
            Step::Clusters => self.join_clusters(),
            Step::Paragraphs => self.find_paragraphs(task),
            Step::Substring => self.find_passages(),
            Step::Write => self.write(task),
            Step::Report => self.report(),
        }
    }

    /// Makes sure that every task of the step has a record, whoever wrote it.
    fn meet(&self, step: Step, n_tasks: usize, shard: Shard, others: Others) -> Result<(), JobError> {
        let mut watched: BTreeMap<usize, Watch> = BTreeMap::new();
        loop {
            let missing: Vec<usize> = (0..n_tasks).filter(|&task| !self.tasks.has_record(step, task)).collect();
            let (n_missing, Some(&first)) = (missing.len(), missing.first()) else { return Ok(()) };
            let Others::Wait(patience) = others else {
                return Err(JobError::Waiting { step, n_missing, n_tasks, first });
            };
            for index in missing.iter().map(|task| task % shard.count) {
                let shard = Shard { index, ..shard };
                let watch = watched.entry(index).or_insert_with(|| Watch::begin(&self.folder, shard));
                let silence = watch.silence();
                if silence >= patience {
                    let (silence_s, who) = (silence.as_secs(), watch.who());
                    return Err(JobError::Silent { shard, silence_s, who, step, n_missing, n_tasks, first });
                }
            }
            thread::sleep(LOOK_EVERY);
        }
    }
}
// ANCHOR_END: job

impl Job {
    fn pipeline(&self) -> &PipelineConfig {
        &self.manifest.config.pipeline
    }

    /// The path of a file between two steps.
    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Calls `work` for each task, from `workers` threads, each of which takes the next that nobody has. After an error no new
/// task is begun; the first error is the answer.
fn each(tasks: &[usize], workers: usize, work: impl Fn(usize) -> Result<(), JobError> + Sync) -> Result<(), JobError> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let first_error = Mutex::new(None);
    let run = || {
        while !failed.load(Ordering::Relaxed)
            && let Some(&task) = tasks.get(next.fetch_add(1, Ordering::Relaxed))
        {
            if let Err(error) = work(task) {
                failed.store(true, Ordering::Relaxed);
                first_error.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(error);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..workers.min(tasks.len()) {
            scope.spawn(run);
        }
        run();
    });
    first_error.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).map_or(Ok(()), Err)
}
