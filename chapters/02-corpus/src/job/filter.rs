//! Step 1: a part of the input becomes pages that pass the filters, and what the later steps must know of them.
//!
//! | file | one row | group |
//! |---|---|---|
//! | `work/pages-00042.jsonl` | the page | |
//! | `work/exact-00042` | 128-bit hash of its words, its number in the part | range of hashes |
//! | `work/buckets-00042` | 64-bit key of a band, number | range of keys |
//! | `work/signatures-00042` | the signature, in the order of the pages | |
//! | `work/paragraphs-00042` | 128-bit hash of a paragraph, number, place | range of hashes |

use std::io::{self, Write};

use super::rows::{self, range_of, split_u128};
use super::tasks::{Checksummed, TaskRecord};
use super::{Job, JobError, Step};
use crate::banding::bucket_key;
use crate::document::Document;
use crate::exact_dedup::words_hash;
use crate::funnel::StageReport;
use crate::minhash::shingle_hashes;
use crate::paragraph_dedup;
use crate::pipeline::Stage;
use crate::read::{InputFile, Record};
use crate::tally::FilterTally;
use crate::words::JoinedWords;

/// So many unreadable records of a part are named; the others are counted.
const MAX_NAMED: usize = 20;

impl Job {
    /// Reads and filters one part.
    pub(super) fn filter(&self, part: usize) -> Result<TaskRecord, JobError> {
        let path = self.path(&format!("work/pages-{part:05}.jsonl"));
        let work = || -> io::Result<TaskRecord> {
            let mut work = PartWork {
                job: self,
                extraction: StageReport::entering(Stage::Extraction, &[]),
                tally: FilterTally::new(&self.filters),
                record: TaskRecord::default(),
                sketches: Sketches::create(self, part)?,
            };
            for file in &self.files[self.manifest.inputs_of(part)] {
                work.read(file)?;
            }
            work.finish(part)
        };
        work().map_err(JobError::at(&path))
    }
}

/// A part while it is filtered.
struct PartWork<'a> {
    job: &'a Job,
    extraction: StageReport,
    tally: FilterTally,
    record: TaskRecord,
    sketches: Sketches,
}

impl PartWork<'_> {
    /// Reads one file. What is wrong with it is noted; an error is only what the output answers.
    fn read(&mut self, file: &InputFile) -> io::Result<()> {
        match file.records() {
            Err(error) => self.record.skip(format!("{}: {error}", file.path.display())),
            Ok(records) => {
                for record in records {
                    match record {
                        Ok(record) => self.judge(record)?,
                        Err(skipped) => self.record.skip(skipped.to_string()),
                    }
                }
            }
        }
        Ok(())
    }

    fn judge(&mut self, record: Record) -> io::Result<()> {
        self.extraction.documents_in += 1;
        self.extraction.bytes_in += record.document.text.len();
        let mut document = match record.extract() {
            Ok(document) => document,
            Err(skipped) => {
                *self.extraction.reasons.entry("no text".to_string()).or_default() += 1;
                self.record.skip(skipped.to_string());
                return Ok(());
            }
        };
        let n_bytes = document.text.len();
        self.extraction.documents_out += 1;
        self.extraction.bytes_out += n_bytes;
        let verdict = self.job.filters.judge(&mut document);
        self.tally.add(n_bytes, &document, &verdict);
        if verdict.is_ok() { self.sketches.add(self.job, &document) } else { Ok(()) }
    }

    fn finish(mut self, part: usize) -> io::Result<TaskRecord> {
        self.record.n_documents = self.sketches.n_documents as usize;
        self.record.stages = std::iter::once(self.extraction).chain(self.tally.stages).collect();
        self.record.rules = self.tally.rules;
        self.sketches.finish(self.job, part, &mut self.record)?;
        Ok(self.record)
    }
}

impl TaskRecord {
    fn skip(&mut self, what: String) {
        self.n_skipped += 1;
        if self.skipped.len() < MAX_NAMED {
            self.skipped.push(what);
        }
    }
}

/// The files of a part while they are written. Rows are kept until all are there, since they are sorted.
struct Sketches {
    pages: Checksummed,
    signatures: Checksummed,
    exact: Vec<[u32; 5]>,
    buckets: Vec<[u32; 3]>,
    paragraphs: Vec<[u32; 6]>,
    n_documents: u32,
}

impl Sketches {
    fn create(job: &Job, part: usize) -> io::Result<Self> {
        Ok(Self {
            pages: job.tasks.create(format!("work/pages-{part:05}.jsonl"))?,
            signatures: job.tasks.create(format!("work/signatures-{part:05}"))?,
            exact: Vec::new(),
            buckets: Vec::new(),
            paragraphs: Vec::new(),
            n_documents: 0,
        })
    }

    fn add(&mut self, job: &Job, document: &Document) -> io::Result<()> {
        serde_json::to_writer(&mut self.pages, document)?;
        self.pages.write_all(b"\n")?;
        let number = self.n_documents;
        self.n_documents = number.checked_add(1).ok_or_else(|| io::Error::other("more than 2^32 pages in a part"))?;

        let words = JoinedWords::new(&document.text);
        let [h0, h1, h2, h3] = split_u128(words_hash(&words));
        self.exact.push([h0, h1, h2, h3, number]);

        let minhash = &job.pipeline().minhash;
        let signature = job.permutations.signature(&shingle_hashes(&words, minhash));
        for band in 0..minhash.bands {
            let key = bucket_key(&signature, band, minhash);
            self.buckets.push([(key >> 32) as u32, key as u32, number]);
        }
        for value in &signature {
            self.signatures.write_all(&value.to_le_bytes())?;
        }
        if job.pipeline().paragraph.enabled {
            let keys = paragraph_dedup::keys(&document.text, &job.pipeline().paragraph).into_iter();
            for (place, key) in keys.zip(0..).filter_map(|(key, place)| key.map(|key| (place, key))) {
                let [h0, h1, h2, h3] = split_u128(key);
                self.paragraphs.push([h0, h1, h2, h3, number, place]);
            }
        }
        Ok(())
    }

    fn finish(self, job: &Job, part: usize, record: &mut TaskRecord) -> io::Result<()> {
        record.files.push(self.pages.finish()?);
        record.files.push(self.signatures.finish()?);
        record.files.push(write_ranges(job, Step::Exact, part, self.exact)?);
        record.files.push(write_ranges(job, Step::Near, part, self.buckets)?);
        record.files.push(write_ranges(job, Step::Paragraphs, part, self.paragraphs)?);
        Ok(())
    }
}

/// The rows of a part for a step that works on ranges.
fn write_ranges<const N: usize>(
    job: &Job,
    step: Step,
    part: usize,
    rows: Vec<[u32; N]>,
) -> io::Result<super::tasks::WrittenFile> {
    let n_ranges = job.manifest.n_ranges;
    let mut file = job.tasks.create(Job::rows_name(step, part))?;
    rows::write(&mut file, rows, n_ranges, |row| range_of(row[0], n_ranges))?;
    file.finish()
}

impl Job {
    /// The file of a part's rows for a step that works on ranges.
    pub(super) fn rows_name(step: Step, part: usize) -> String {
        let kind = match step {
            Step::Near => "buckets",
            other => other.name(),
        };
        format!("work/{kind}-{part:05}")
    }
}
