//! What a job of a given size will take, before it is started.
//!
//! With $n$ pages after the filters, $b$ bands, $h$ places of a signature, $R$ ranges and $w$ workers:
//!
//! | what | bytes |
//! |---|---|
//! | rows of a page on disk | 20 + 12 b + 4 h, and 24 a paragraph if those are compared |
//! | a filter task, in memory | pages of the largest part · (20 + 12 b) |
//! | a range task, in memory | n / R · b · 12, and 4 h (plus a map's place) for each page in a crowded bucket |
//! | the clusters, in one process | 4 n |
//! | passages, if asked for, in one process | 5 a byte of text, which is the input at most, and `max_bytes` |
//! | what was dropped, in each process | n / 4 |
//!
//! So memory is `max(w · max(filter, range), clusters, passages) + n / 4`, besides one record at a time a worker. The number of pages is
//! not known before they are read; the plan takes a size for granted, and says which.

use std::fmt;

use serde::Serialize;

use super::manifest::Manifest;
use super::{JobConfig, JobError};
use crate::read::InputFile;

/// Input bytes for one page that passes the filters, taken for granted: text of about 500 words. HTML has several times as
/// many a page, so plans for it are on the safe side.
pub const BYTES_PER_PAGE: u64 = 3000;

/// Share of pages in crowded buckets, taken for granted.
const CROWDED_SHARE: f64 = 0.5;

/// A page's place in the map of signatures.
const MAP_BYTES: u64 = 24;

/// What a job will take.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Bytes of all inputs.
    pub input_bytes: u64,
    /// Tasks of the steps filter and write.
    pub n_parts: usize,
    /// Tasks of the steps that compare.
    pub n_ranges: usize,
    /// Pages after the filters, as far as one can say.
    pub n_pages: u64,
    /// Threads of a process.
    pub n_workers: usize,
    /// Most memory of a process.
    pub memory_bytes: u64,
    /// Rows and signatures on disk; the pages themselves take as much as the output, twice.
    pub rows_bytes: u64,
}

impl Plan {
    /// The plan for files that are there.
    ///
    /// # Errors
    /// A setting outside its range, or a file that has gone.
    pub fn of(files: &[InputFile], config: &JobConfig, n_workers: usize) -> Result<Self, JobError> {
        config.validate()?;
        let manifest = Manifest::plan(files, config, &[])?;
        let sizes = |part: usize| manifest.inputs[manifest.inputs_of(part)].iter().map(|input| input.n_bytes).sum();
        let largest = (0..manifest.n_parts()).map(sizes).max().unwrap_or(0);
        let input_bytes = files.iter().map(|file| file.n_bytes).sum();
        Ok(Self::for_sizes(input_bytes, largest, manifest.n_parts(), config, n_workers))
    }

    /// The plan for an input of some size in parts of which the largest has `largest_part_bytes`.
    pub fn for_sizes(
        input_bytes: u64,
        largest_part_bytes: u64,
        n_parts: usize,
        config: &JobConfig,
        n_workers: usize,
    ) -> Self {
        let n_ranges = Manifest::n_ranges(input_bytes, config);
        let n_pages = input_bytes / BYTES_PER_PAGE;
        let rows = RowBytes::of(config);
        let filter = largest_part_bytes / BYTES_PER_PAGE * (rows.exact + rows.buckets);
        let members = n_pages.div_ceil(n_ranges as u64) * config.pipeline.minhash.bands as u64;
        // A page may be in several buckets of a range, and its signature is read once.
        let crowded = (members.min(n_pages) as f64 * CROWDED_SHARE) as u64;
        let range =
            members * rows.buckets / config.pipeline.minhash.bands as u64 + crowded * (rows.signature + MAP_BYTES);
        let substring = &config.pipeline.substring;
        let passages = if substring.enabled { 5 * input_bytes.min(substring.max_bytes) } else { 0 };
        let memory_bytes = (n_workers as u64 * filter.max(range)).max(4 * n_pages).max(passages) + n_pages / 4;
        let rows_bytes = n_pages * (rows.exact + rows.buckets + rows.signature);
        Self { input_bytes, n_parts, n_ranges, n_pages, n_workers, memory_bytes, rows_bytes }
    }
}

/// Bytes of a page's rows.
struct RowBytes {
    exact: u64,
    buckets: u64,
    signature: u64,
}

impl RowBytes {
    fn of(config: &JobConfig) -> Self {
        let minhash = &config.pipeline.minhash;
        Self { exact: 20, buckets: 12 * minhash.bands as u64, signature: 4 * minhash.n_hashes() as u64 }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let gb = |bytes: u64| bytes as f64 / 1e9;
        writeln!(f, "input      {:.3} GB in {} parts", gb(self.input_bytes), self.n_parts)?;
        writeln!(f, "compared   in {} ranges of hashes", self.n_ranges)?;
        writeln!(f, "pages      about {} ({BYTES_PER_PAGE} bytes each)", self.n_pages)?;
        writeln!(f, "memory     {:.3} GB a process at most, with {} workers", gb(self.memory_bytes), self.n_workers)?;
        write!(f, "disk       {:.3} GB of rows and signatures, besides the pages twice", gb(self.rows_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::substring_dedup::SubstringConfig;

    #[test]
    fn a_terabyte_fits_into_the_memory_of_one_machine() {
        let config = JobConfig::default();
        let plan = |input_bytes| Plan::for_sizes(input_bytes, 1 << 30, 1000, &config, 16);
        let (tenth, whole) = (plan(100_000_000_000), plan(1_000_000_000_000));
        assert!(whole.memory_bytes < 64_000_000_000, "{whole}");
        // What a range holds does not grow with the input; what a process holds of all pages does, by 1/4 byte a page.
        assert!(whole.memory_bytes - tenth.memory_bytes < 2_000_000_000, "{tenth}\n{whole}");
        assert_eq!(whole.n_ranges, 1863);
        let mut with_passages = config.clone();
        with_passages.pipeline.substring = SubstringConfig { enabled: true, max_bytes: 1 << 30, ..Default::default() };
        let small = |config| Plan::for_sizes(1_000_000_000, 1_000_000, 1000, config, 1).memory_bytes;
        assert_eq!(small(&with_passages), 5_000_000_000 + 1_000_000_000 / BYTES_PER_PAGE / 4);
        assert!(small(&config) < 1_000_000_000);
    }
}
