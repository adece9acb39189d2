//! What decontamination found: which items of the exam were on how many pages, and on which.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::decontaminate::TestItem;

/// Pages named of each item.
const N_SAMPLES: usize = 3;
/// Items that the table shows.
const N_SHOWN: usize = 10;

/// The pages that had one item.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemHits {
    /// How many.
    pub n_documents: usize,
    /// The ids of some, those with the smallest hashes: the same whatever the order of the pages.
    pub samples: Vec<String>,
}

/// Hits by item; the reports of the parts of a corpus merge into that of the whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContaminationReport {
    /// Pages that were looked at.
    pub n_documents: usize,
    /// Pages with at least one item.
    pub n_hit: usize,
    /// Number of the item to its hits; items that no page had are not in it.
    pub items: BTreeMap<usize, ItemHits>,
}

impl ContaminationReport {
    /// Notes the hits of one page.
    pub fn add(&mut self, id: &str, hits: &[usize]) {
        self.n_documents += 1;
        self.n_hit += usize::from(!hits.is_empty());
        for &item in hits {
            self.items.entry(item).or_default().add(1, [id.to_string()]);
        }
    }

    /// Adds the report of another part of the corpus.
    pub fn merge(&mut self, other: &Self) {
        self.n_documents += other.n_documents;
        self.n_hit += other.n_hit;
        for (&item, hits) in &other.items {
            self.items.entry(item).or_default().add(hits.n_documents, hits.samples.clone());
        }
    }

    /// A table of the items on most pages, for people.
    pub fn table<'a>(&'a self, items: &'a [TestItem]) -> impl fmt::Display + 'a {
        Table { report: self, items }
    }
}

impl ItemHits {
    fn add(&mut self, n_documents: usize, samples: impl IntoIterator<Item = String>) {
        self.n_documents += n_documents;
        self.samples.extend(samples);
        self.samples.sort_by_cached_key(|id| (xxh3_64(id.as_bytes()), id.clone()));
        self.samples.truncate(N_SAMPLES);
    }
}

struct Table<'a> {
    report: &'a ContaminationReport,
    items: &'a [TestItem],
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { report, items } = self;
        let (n_hit, n_items) = (report.n_hit, report.items.len());
        writeln!(f, "{n_hit} of {} pages hold {n_items} of {} items", report.n_documents, items.len())?;
        let mut rows: Vec<_> = report.items.iter().collect();
        rows.sort_by_key(|(item, hits)| (std::cmp::Reverse(hits.n_documents), **item));
        for (item, hits) in rows.into_iter().take(N_SHOWN) {
            let question = items.get(*item).map_or("", |item| item.question.as_str());
            let question: String = question.chars().take(48).collect();
            writeln!(f, "{:>8} {question:<48}  {}", hits.n_documents, hits.samples.join(" "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reports_of_parts_make_that_of_the_whole() {
        let pages: Vec<(String, Vec<usize>)> =
            (0..50).map(|i| (format!("p{i}"), if i % 3 == 0 { vec![i % 2, 7] } else { Vec::new() })).collect();
        let report = |pages: &[(String, Vec<usize>)]| {
            let mut report = ContaminationReport::default();
            pages.iter().for_each(|(id, hits)| report.add(id, hits));
            report
        };
        let whole = report(&pages);
        let mut sum = report(&pages[20..]);
        sum.merge(&report(&pages[..20]));
        assert_eq!(sum, whole);
        assert_eq!((whole.n_documents, whole.n_hit, whole.items[&7].n_documents), (50, 17, 17));
        assert_eq!(whole.items[&7].samples.len(), N_SAMPLES);
        let items = vec![TestItem { question: "Which river?".into(), answer: "Elm".into() }; 8];
        let table = whole.table(&items).to_string();
        assert!(table.starts_with("17 of 50 pages hold 3 of 8 items\n      17 Which river?"), "{table}");
    }
}
