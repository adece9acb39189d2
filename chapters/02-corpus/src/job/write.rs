//! Step 7: the pages of a part that nothing has dropped, for training and for measuring.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};

use xxhash_rust::xxh3::Xxh3;

use super::passages::Dropped;
use super::tasks::{Checksummed, TaskRecord};
use super::{Job, JobError, Step};
use crate::document::Document;
use crate::funnel::StageReport;
use crate::paragraph_dedup;
use crate::pipeline::Stage;
use crate::split::is_held_out;
use crate::substring_dedup;

impl Job {
    /// Writes one part's share of the corpus.
    pub(super) fn write(&self, part: usize) -> Result<TaskRecord, JobError> {
        let dropped = Dropped::before(Step::Write, self, part)?;
        let mut out = Output::create(self, part).map_err(JobError::at(&self.folder))?;
        self.for_each_page(part, |page, document| {
            out.add(self, page, document, &dropped).map_err(JobError::at(&self.folder))
        })?;
        out.finish().map_err(JobError::at(&self.folder))
    }

    /// Hands on the pages of a part with their numbers, and makes sure that they are those that the filters passed.
    pub(super) fn for_each_page(
        &self,
        part: usize,
        mut work: impl FnMut(u32, Document) -> Result<(), JobError>,
    ) -> Result<(), JobError> {
        let numbers = self.numbers()?;
        let path = self.path(&format!("work/pages-{part:05}.jsonl"));
        let mut hasher = Xxh3::new();
        let mut input = BufReader::with_capacity(1 << 16, File::open(&path).map_err(JobError::at(&path))?);
        let mut line = Vec::new();
        for page in numbers.first_of(part)..numbers.first_of(part + 1) {
            line.clear();
            input.read_until(b'\n', &mut line).map_err(JobError::at(&path))?;
            hasher.update(&line);
            let Ok(document) = serde_json::from_slice(&line) else { return Err(self.damaged(part)) };
            work(page, document)?;
        }
        let record = self.tasks.record(Step::Filter, part)?;
        if record.files.first().is_none_or(|file| file.checksum != format!("{:032x}", hasher.digest128())) {
            return Err(self.damaged(part));
        }
        Ok(())
    }

    /// Has the part filtered again, by whoever starts next.
    fn damaged(&self, part: usize) -> JobError {
        self.tasks.forget(Step::Filter, part);
        JobError::Damaged { path: self.path(&format!("work/pages-{part:05}.jsonl")) }
    }
}

struct Output {
    training: Checksummed,
    held_out: Checksummed,
    stages: Vec<StageReport>,
    record: TaskRecord,
}

impl Output {
    fn create(job: &Job, part: usize) -> io::Result<Self> {
        let paragraphs = job.pipeline().paragraph.enabled.then_some(Stage::ParagraphDedup);
        let substring = job.pipeline().substring.enabled.then_some(Stage::SubstringDedup);
        let stages = [Stage::ExactDedup, Stage::NearDedup].into_iter().chain(paragraphs).chain(substring);
        let stages = stages.chain([Stage::Decontamination]);
        Ok(Self {
            training: job.tasks.create(format!("train/{part:05}.jsonl"))?,
            held_out: job.tasks.create(format!("held_out/{part:05}.jsonl"))?,
            stages: stages.map(|stage| StageReport::entering(stage, &[])).collect(),
            record: TaskRecord::default(),
        })
    }

    /// Leads one page through the stages.
    fn add(&mut self, job: &Job, page: u32, mut document: Document, dropped: &Dropped) -> io::Result<()> {
        for report in &mut self.stages {
            report.documents_in += 1;
            report.bytes_in += document.text.len();
            let reason = match report.stage {
                Stage::ExactDedup => dropped.copies.contains(page).then_some("duplicate"),
                Stage::NearDedup => dropped.near_copies.contains(page).then_some("duplicate"),
                Stage::ParagraphDedup => {
                    (!dropped.cut_paragraphs(job, page, &mut document)).then_some(paragraph_dedup::TOO_LITTLE_LEFT)
                }
                Stage::SubstringDedup => {
                    (!dropped.cut_passages(job, page, &mut document)).then_some(substring_dedup::TOO_LITTLE_LEFT)
                }
                _ => {
                    let hits = job.exam.hits(&document.text);
                    self.record.contamination.add(&document.id, &hits);
                    job.exam.removes(&hits).then_some("exam question")
                }
            };
            if let Some(reason) = reason {
                *report.reasons.entry(reason.to_string()).or_default() += 1;
                return Ok(());
            }
            report.documents_out += 1;
            report.bytes_out += document.text.len();
        }
        let out = if is_held_out(&document, job.manifest.config.held_out_share) {
            self.record.n_held_out += 1;
            &mut self.held_out
        } else {
            self.record.n_documents += 1;
            self.record.training_bytes += document.text.len();
            &mut self.training
        };
        serde_json::to_writer(&mut *out, &document)?;
        out.write_all(b"\n")
    }

    fn finish(mut self) -> Result<TaskRecord, io::Error> {
        self.record.files = vec![self.training.finish()?, self.held_out.finish()?];
        self.record.stages = self.stages;
        Ok(self.record)
    }
}
