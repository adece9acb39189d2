//! Steps 2 to 5: what repeats, found range by range.
//!
//! Pages are numbered through: those of part 0 first, then those of part 1. A page's number does not depend on who
//! does what, so neither do "the first copy", "the leaders of a bucket" and "the first of a cluster".

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::OnceLock;

use super::rows::{self, read_all, read_group};
use super::tasks::TaskRecord;
use super::{Job, JobError, Step};
use crate::clusters::{Clusters, bucket_edges};
use crate::minhash::similarity;

/// The number of each part's first page, and of all pages.
pub(super) struct Numbers(Vec<u32>);

impl Numbers {
    pub fn first_of(&self, part: usize) -> u32 {
        self.0[part]
    }

    pub fn n_pages(&self) -> usize {
        self.0.last().copied().unwrap_or(0) as usize
    }

    fn part_of(&self, page: u32) -> usize {
        self.0.partition_point(|&first| first <= page) - 1
    }
}

/// One bit a page.
pub(super) struct PageSet(Vec<u64>);

impl PageSet {
    fn new(n: usize) -> Self {
        Self(vec![0; n.div_ceil(64)])
    }

    fn insert(&mut self, page: u32) {
        if let Some(word) = self.0.get_mut(page as usize / 64) {
            *word |= 1 << (page % 64);
        }
    }

    pub fn contains(&self, page: u32) -> bool {
        self.0.get(page as usize / 64).is_some_and(|word| word >> (page % 64) & 1 == 1)
    }
}

/// What a process learns from finished steps, read once.
#[derive(Default)]
pub(super) struct Found {
    numbers: OnceLock<Numbers>,
    copies: OnceLock<PageSet>,
    near_copies: OnceLock<PageSet>,
}

/// The value, which `make` makes if nobody has. Two threads may both make it; they make the same.
fn once<T>(place: &OnceLock<T>, make: impl FnOnce() -> Result<T, JobError>) -> Result<&T, JobError> {
    match place.get() {
        Some(value) => Ok(value),
        None => {
            let value = make()?;
            Ok(place.get_or_init(|| value))
        }
    }
}

impl Job {
    /// Counts the pages of all parts; the filters must have finished.
    pub(super) fn numbers(&self) -> Result<&Numbers, JobError> {
        once(&self.found.numbers, || {
            let mut firsts = vec![0];
            let mut n: u64 = 0;
            for part in 0..self.manifest.n_parts() {
                n += self.tasks.record(Step::Filter, part)?.n_documents as u64;
                firsts.push(u32::try_from(n).map_err(|_| JobError::TooManyPages { n })?);
            }
            Ok(Numbers(firsts))
        })
    }

    /// The pages that repeat an earlier one.
    pub(super) fn copies(&self) -> Result<&PageSet, JobError> {
        once(&self.found.copies, || self.dropped(Step::Exact))
    }

    /// The pages that are not the first of their cluster.
    pub(super) fn near_copies(&self) -> Result<&PageSet, JobError> {
        once(&self.found.near_copies, || self.dropped(Step::Clusters))
    }

    fn dropped(&self, step: Step) -> Result<PageSet, JobError> {
        let mut dropped = PageSet::new(self.numbers()?.n_pages());
        for task in 0..self.manifest.n_tasks(step) {
            for [page, _] in self.rows(&Self::result_name(step, task), read_all)? {
                dropped.insert(page);
            }
        }
        Ok(dropped)
    }

    // ANCHOR: find_copies
    /// Step 2: of the pages whose hashes lie in this range, those whose hash an earlier page has.
    pub(super) fn find_copies(&self, range: usize) -> Result<TaskRecord, JobError> {
        let numbers = self.numbers()?;
        let mut pages: Vec<[u32; 5]> =
            self.range_of_all_parts(Step::Exact, range, numbers, |row, first| row[4] += first)?;
        pages.sort_unstable();
        let copies = pages.chunk_by(|a, b| a[..4] == b[..4]);
        let found = copies.flat_map(|copies| copies[1..].iter().map(|copy| [copy[4], copies[0][4]])).collect();
        self.finish_pages(Step::Exact, range, found, numbers)
    }
    // ANCHOR_END: find_copies

    // ANCHOR: find_edges
    /// Step 3: the edges of the buckets whose keys lie in this range.
    pub(super) fn find_edges(&self, range: usize) -> Result<TaskRecord, JobError> {
        let numbers = self.numbers()?;
        let copies = self.copies()?;
        let mut members: Vec<[u32; 3]> =
            self.range_of_all_parts(Step::Near, range, numbers, |row, first| row[2] += first)?;
        members.retain(|member| !copies.contains(member[2]));
        members.sort_unstable();
        let same_bucket = |a: &[u32; 3], b: &[u32; 3]| a[..2] == b[..2];
        let crowded = members.chunk_by(same_bucket).filter(|bucket| bucket.len() > 1);
        let signatures = self.signatures(crowded.clone().flatten().map(|member| member[2]).collect(), numbers)?;
        let alike =
            |a: u32, b: u32| similarity(signatures.of(a), signatures.of(b)) >= self.pipeline().minhash.min_similarity;
        let edges = crowded.flat_map(|bucket| bucket_edges(bucket.iter().map(|member| member[2]), alike));
        let mut edges: Vec<[u32; 2]> = edges.map(<[u32; 2]>::from).collect();
        edges.sort_unstable();
        edges.dedup();
        self.finish_pages(Step::Near, range, edges, numbers)
    }

    /// Step 4: the clusters that all edges make.
    pub(super) fn join_clusters(&self) -> Result<TaskRecord, JobError> {
        let numbers = self.numbers()?;
        let mut clusters = Clusters::new(numbers.n_pages());
        for range in 0..self.manifest.n_tasks(Step::Near) {
            for [page, leader] in self.rows(&Self::result_name(Step::Near, range), read_all)? {
                clusters.join(page, leader);
            }
        }
        self.finish_pages(Step::Clusters, 0, clusters.repeated().map(<[u32; 2]>::from).collect(), numbers)
    }
    // ANCHOR_END: find_edges

    /// Step 5: of the paragraphs whose hashes lie in this range, those that occurred before, in pages that are still there.
    pub(super) fn find_paragraphs(&self, range: usize) -> Result<TaskRecord, JobError> {
        let numbers = self.numbers()?;
        let gone = [self.copies()?, self.near_copies()?];
        let mut paragraphs: Vec<[u32; 6]> =
            self.range_of_all_parts(Step::Paragraphs, range, numbers, |row, first| row[4] += first)?;
        paragraphs.retain(|paragraph| !gone.iter().any(|gone| gone.contains(paragraph[4])));
        paragraphs.sort_unstable();
        let equal = paragraphs.chunk_by(|a, b| a[..4] == b[..4]);
        let found = equal.flat_map(|equal| equal[1..].iter().map(|paragraph| [paragraph[4], paragraph[5]])).collect();
        self.finish_pages(Step::Paragraphs, range, found, numbers)
    }

    /// The places of the repeated paragraphs of each page of a part, as (page, place) in rising order.
    pub(super) fn repeated_paragraphs(&self, part: usize) -> Result<Vec<[u32; 2]>, JobError> {
        let mut found = Vec::new();
        for range in 0..self.manifest.n_tasks(Step::Paragraphs) {
            found.extend(self.rows(&Self::result_name(Step::Paragraphs, range), |path| read_group(path, part))?);
        }
        found.sort_unstable();
        Ok(found)
    }

    /// A range of all parts' rows, whose page numbers `renumber` moves by the number of the part's first page.
    fn range_of_all_parts<const N: usize>(
        &self,
        step: Step,
        range: usize,
        numbers: &Numbers,
        renumber: impl Fn(&mut [u32; N], u32),
    ) -> Result<Vec<[u32; N]>, JobError> {
        let mut all = Vec::new();
        for part in 0..self.manifest.n_parts() {
            let mut rows = self.rows(&Self::rows_name(step, part), |path| read_group(path, range))?;
            rows.iter_mut().for_each(|row| renumber(row, numbers.first_of(part)));
            all.append(&mut rows);
        }
        Ok(all)
    }

    /// Writes rows that begin with a page's number, in groups by the page's part.
    pub(super) fn finish_pages<const N: usize>(
        &self,
        step: Step,
        task: usize,
        rows: Vec<[u32; N]>,
        numbers: &Numbers,
    ) -> Result<TaskRecord, JobError> {
        let name = Self::result_name(step, task);
        let write = || -> io::Result<_> {
            let mut file = self.tasks.create(name.clone())?;
            rows::write(&mut file, rows, self.manifest.n_parts(), |row| numbers.part_of(row[0]))?;
            file.finish()
        };
        let file = write().map_err(JobError::at(&self.path(&name)))?;
        Ok(TaskRecord { files: vec![file], ..TaskRecord::default() })
    }

    pub(super) fn result_name(step: Step, task: usize) -> String {
        format!("work/found-{}-{task:05}", step.name())
    }

    pub(super) fn rows<R>(&self, name: &str, read: impl FnOnce(&Path) -> io::Result<R>) -> Result<R, JobError> {
        let path = self.path(name);
        read(&path).map_err(JobError::at(&path))
    }

    /// The signatures of some pages, read part by part.
    fn signatures(&self, mut pages: Vec<u32>, numbers: &Numbers) -> Result<Signatures, JobError> {
        pages.sort_unstable();
        pages.dedup();
        let n_hashes = self.pipeline().minhash.n_hashes();
        let mut signatures = Signatures { places: HashMap::new(), values: Vec::new(), n_hashes };
        for of_part in pages.chunk_by(|&a, &b| numbers.part_of(a) == numbers.part_of(b)) {
            let part = numbers.part_of(of_part[0]);
            let name = format!("work/signatures-{part:05}");
            self.rows(&name, |path| signatures.read(path, of_part, numbers.first_of(part)))?;
        }
        Ok(signatures)
    }
}

/// Signatures in memory, by page number.
struct Signatures {
    places: HashMap<u32, usize>,
    values: Vec<u32>,
    n_hashes: usize,
}

impl Signatures {
    fn read(&mut self, path: &Path, pages: &[u32], first: u32) -> io::Result<()> {
        let mut file = File::open(path)?;
        let mut bytes = vec![0; 4 * self.n_hashes];
        for &page in pages {
            file.seek(SeekFrom::Start(u64::from(page - first) * bytes.len() as u64))?;
            file.read_exact(&mut bytes)?;
            self.places.insert(page, self.values.len());
            let value = |bytes: &[u8]| bytes.iter().rev().fold(0, |value, &byte| value << 8 | u32::from(byte));
            self.values.extend(bytes.chunks_exact(4).map(value));
        }
        Ok(())
    }

    /// The signature of a page; empty for one that was not asked for.
    fn of(&self, page: u32) -> &[u32] {
        self.places.get(&page).map_or(&[], |&at| &self.values[at..at + self.n_hashes])
    }
}
