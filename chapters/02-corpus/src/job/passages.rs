//! Step 6: passages that repeat, found in all the text that is left, and what all steps so far say about a page.
//!
//! Passages begin anywhere, so no hash sends equal ones to one range. The step is one task, which holds all texts that are left and
//! their suffix array. It numbers offsets in the text as the paragraphs left it, so both are cut in that order.

use super::compare::PageSet;
use super::rows::read_group;
use super::tasks::TaskRecord;
use super::{Job, JobError, Step};
use crate::document::Document;
use crate::paragraph_dedup;
use crate::substring_dedup::{self, Texts};

impl Job {
    /// Finds the passages of all pages that occurred before.
    pub(super) fn find_passages(&self) -> Result<TaskRecord, JobError> {
        let mut texts = Texts::new(&self.pipeline().substring);
        let mut pages = Vec::new();
        for part in 0..self.manifest.n_parts() {
            let dropped = Dropped::before(Step::Substring, self, part)?;
            self.for_each_page(part, |page, mut document| {
                if !dropped.has(page) && dropped.cut_paragraphs(self, page, &mut document) {
                    texts.push(&document.text)?;
                    pages.push(page);
                }
                Ok(())
            })?;
        }
        let mut rows = Vec::new();
        for (page, passages) in pages.into_iter().zip(texts.repeated()?) {
            rows.extend(passages.into_iter().map(|passage| [page, passage.start as u32, passage.end as u32]));
        }
        self.finish_pages(Step::Substring, 0, rows, self.numbers()?)
    }
}

/// What the steps before one have found about the pages of a part.
pub(super) struct Dropped<'a> {
    pub copies: &'a PageSet,
    pub near_copies: &'a PageSet,
    /// (page, place) in rising order.
    paragraphs: Vec<[u32; 2]>,
    /// (page, start, end) in rising order.
    passages: Vec<[u32; 3]>,
}

impl<'a> Dropped<'a> {
    pub fn before(step: Step, job: &'a Job, part: usize) -> Result<Self, JobError> {
        let has_passages = step == Step::Write && job.pipeline().substring.enabled;
        let name = Job::result_name(Step::Substring, 0);
        let passages = if has_passages { job.rows(&name, |path| read_group(path, part))? } else { Vec::new() };
        let (copies, near_copies) = (job.copies()?, job.near_copies()?);
        Ok(Self { copies, near_copies, paragraphs: job.repeated_paragraphs(part)?, passages })
    }

    /// Whether the page is a copy or a near copy.
    fn has(&self, page: u32) -> bool {
        self.copies.contains(page) || self.near_copies.contains(page)
    }

    /// Removes the repeated paragraphs; false if the page must go.
    pub fn cut_paragraphs(&self, job: &Job, page: u32, document: &mut Document) -> bool {
        let places: Vec<usize> = of_page(&self.paragraphs, page).iter().map(|row| row[1] as usize).collect();
        paragraph_dedup::remove(document, &places, &job.pipeline().paragraph)
    }

    /// Removes the repeated passages; false if the page must go.
    pub fn cut_passages(&self, job: &Job, page: u32, document: &mut Document) -> bool {
        let passages: Vec<_> =
            of_page(&self.passages, page).iter().map(|row| row[1] as usize..row[2] as usize).collect();
        substring_dedup::remove(document, &passages, &job.pipeline().substring)
    }
}

fn of_page<const N: usize>(rows: &[[u32; N]], page: u32) -> &[[u32; N]] {
    let start = rows.partition_point(|row| row[0] < page);
    let end = rows.partition_point(|row| row[0] <= page);
    &rows[start..end]
}
