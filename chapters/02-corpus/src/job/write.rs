//! Step 6: the pages of a part that nothing has dropped, for training and for measuring.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};

use xxhash_rust::xxh3::Xxh3;

use super::compare::PageSet;
use super::tasks::{Checksummed, TaskRecord};
use super::{Job, JobError, Step};
use crate::document::Document;
use crate::funnel::StageReport;
use crate::paragraph_dedup;
use crate::pipeline::Stage;
use crate::split::is_held_out;

impl Job {
    /// Writes one part's share of the corpus.
    pub(super) fn write(&self, part: usize) -> Result<TaskRecord, JobError> {
        let numbers = self.numbers()?;
        let dropped = Dropped {
            copies: self.copies()?,
            near_copies: self.near_copies()?,
            paragraphs: self.repeated_paragraphs(part)?,
        };
        let path = self.path(&format!("work/pages-{part:05}.jsonl"));
        let mut out = Output::create(self, part).map_err(JobError::at(&self.folder))?;
        let mut hasher = Xxh3::new();
        let mut input = BufReader::with_capacity(1 << 16, File::open(&path).map_err(JobError::at(&path))?);
        let mut line = Vec::new();
        for page in numbers.first_of(part)..numbers.first_of(part + 1) {
            line.clear();
            input.read_until(b'\n', &mut line).map_err(JobError::at(&path))?;
            hasher.update(&line);
            let Ok(document) = serde_json::from_slice(&line) else { return Err(self.damaged(part)) };
            out.add(self, page, document, &dropped).map_err(JobError::at(&self.folder))?;
        }
        let record = self.tasks.record(Step::Filter, part)?;
        if record.files.first().is_none_or(|file| file.checksum != format!("{:032x}", hasher.digest128())) {
            return Err(self.damaged(part));
        }
        out.finish().map_err(JobError::at(&self.folder))
    }

    /// Has the part filtered again, by whoever starts next.
    fn damaged(&self, part: usize) -> JobError {
        self.tasks.forget(Step::Filter, part);
        JobError::Damaged { path: self.path(&format!("work/pages-{part:05}.jsonl")) }
    }
}

/// What the earlier steps have found.
struct Dropped<'a> {
    copies: &'a PageSet,
    near_copies: &'a PageSet,
    /// (page, place) in rising order.
    paragraphs: Vec<[u32; 2]>,
}

impl Dropped<'_> {
    fn paragraphs_of(&self, page: u32) -> Vec<usize> {
        let start = self.paragraphs.partition_point(|row| row[0] < page);
        let of_page = self.paragraphs[start..].iter().take_while(|row| row[0] == page);
        of_page.map(|row| row[1] as usize).collect()
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
        let stages = [Stage::ExactDedup, Stage::NearDedup].into_iter().chain(paragraphs);
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
                    let places = dropped.paragraphs_of(page);
                    let stays = paragraph_dedup::remove(&mut document, &places, &job.pipeline().paragraph);
                    (!stays).then_some(paragraph_dedup::TOO_LITTLE_LEFT)
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
