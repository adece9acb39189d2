//! How much of a page repeats itself: Gopher's thirteen measures (arXiv:2112.11446, table A1).
//!
//! Three kinds, each a share of the page's characters or of its parts. With $|x|$ the length of $x$ in characters:
//!
//! $$\text{duplicate lines} = \frac{\#\{i : l_i \in \{l_1 \dots l_{i-1}\}\}}{\#\text{lines}}, \quad
//!   \text{top } n\text{-gram} = \frac{c(g^*)\,|g^*|}{|\text{text}|}, \quad
//!   \text{duplicate } n\text{-grams} = \frac{\sum_{g \text{ seen before}} |g|}{|\text{text}|}$$
//!
//! where $g^*$ is the most frequent run of $n$ words. The paper leaves the details open. Ours are those of datatrove
//! (`gopher_repetition_filter.py`), with which FineWeb was filtered: the text's length counts its white space, an
//! $n$-gram in the second measure counts the spaces between its words and in the third it does not, and a repeated run
//! is stepped over as a whole, so no character counts twice in the third measure. In the second one it may (`a a a`
//! holds `a a` twice), so that share is cut at 1. Words are separated by white space; datatrove's default splits
//! punctuation off as well.

use std::collections::{HashMap, HashSet};

/// Lengths of the runs whose most frequent one is measured.
pub const TOP_NGRAMS: [usize; 3] = [2, 3, 4];
/// Lengths of the runs whose repetitions are measured.
pub const DUPLICATE_NGRAMS: [usize; 6] = [5, 6, 7, 8, 9, 10];

/// The measures, shares from 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Repetition {
    /// Paragraphs that occurred before.
    pub paragraphs: f64,
    /// Characters in such paragraphs.
    pub paragraph_chars: f64,
    /// Lines that occurred before.
    pub lines: f64,
    /// Characters in such lines.
    pub line_chars: f64,
    /// Characters in the most frequent run of 2, 3 and 4 words.
    pub top_ngrams: [f64; 3],
    /// Characters in repeated runs of 5 to 10 words.
    pub duplicate_ngrams: [f64; 6],
}

impl Repetition {
    /// Measures `text`.
    pub fn of(text: &str) -> Self {
        let text = text.trim();
        let n_chars = text.chars().count().max(1) as f64;
        let paragraphs = Duplicates::of(text.split("\n\n").map(|part| part.trim_matches('\n')));
        let lines = Duplicates::of(text.lines());
        let runs = WordRuns::of(text);
        Self {
            paragraphs: paragraphs.share(),
            paragraph_chars: paragraphs.n_chars as f64 / n_chars,
            lines: lines.share(),
            line_chars: lines.n_chars as f64 / n_chars,
            top_ngrams: TOP_NGRAMS.map(|n| (runs.top_chars(n) as f64 / n_chars).min(1.0)),
            duplicate_ngrams: DUPLICATE_NGRAMS.map(|n| runs.duplicate_chars(n) as f64 / n_chars),
        }
    }
}

/// Parts of a text that occurred before.
pub(super) struct Duplicates {
    n: usize,
    n_all: usize,
    pub(super) n_chars: usize,
}

impl Duplicates {
    /// Counts the parts that are not blank.
    pub(super) fn of<'a>(parts: impl Iterator<Item = &'a str>) -> Self {
        let mut seen = HashSet::new();
        let mut duplicates = Self { n: 0, n_all: 0, n_chars: 0 };
        for part in parts.filter(|part| !part.trim().is_empty()) {
            duplicates.n_all += 1;
            if !seen.insert(part) {
                duplicates.n += 1;
                duplicates.n_chars += part.chars().count();
            }
        }
        duplicates
    }

    fn share(&self) -> f64 {
        self.n as f64 / self.n_all.max(1) as f64
    }
}

/// The words of a text as hashes, with their lengths: a run of words is then a few numbers, not a new string.
struct WordRuns {
    hashes: Vec<u64>,
    n_chars: Vec<usize>,
}

// ANCHOR: duplicate_ngrams
impl WordRuns {
    fn of(text: &str) -> Self {
        let words = text.split_whitespace();
        let (hashes, n_chars) =
            words.map(|word| (xxhash_rust::xxh3::xxh3_64(word.as_bytes()), word.chars().count())).unzip();
        Self { hashes, n_chars }
    }

    /// Characters of the most frequent run of `n` words, times how often it occurs; of equals the first counts.
    fn top_chars(&self, n: usize) -> usize {
        let mut counts: HashMap<u64, (usize, usize)> = HashMap::new();
        for (i, run) in self.hashes.windows(n).enumerate() {
            counts.entry(hash_run(run)).or_insert((0, i)).0 += 1;
        }
        let top = counts.into_values().max_by_key(|&(count, first)| (count, std::cmp::Reverse(first)));
        top.map_or(0, |(count, first)| count * (self.n_chars[first..first + n].iter().sum::<usize>() + n - 1))
    }

    /// Characters in runs of `n` words that occurred before; a repeated run is stepped over.
    fn duplicate_chars(&self, n: usize) -> usize {
        let mut seen = HashSet::new();
        let (mut n_chars, mut i) = (0, 0);
        while i + n <= self.hashes.len() {
            if seen.insert(hash_run(&self.hashes[i..i + n])) {
                i += 1;
            } else {
                n_chars += self.n_chars[i..i + n].iter().sum::<usize>();
                i += n;
            }
        }
        n_chars
    }
}
// ANCHOR_END: duplicate_ngrams

/// One number for a run of words, in which their order counts.
fn hash_run(hashes: &[u64]) -> u64 {
    // An odd constant (that of xxhash's second prime) makes the multiplication a bijection.
    const MULTIPLIER: u64 = 0xC2B2_AE3D_27D4_EB4F;
    hashes.iter().fold(1, |hash: u64, &word| (hash ^ word).wrapping_mul(MULTIPLIER).rotate_left(31))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_occurs_twice_counts_once() {
        // Twelve words of one letter: the second half repeats the first.
        let runs = WordRuns::of("a b c d e f a b c d e f");
        assert_eq!(runs.duplicate_chars(5), 5);
        assert_eq!(runs.duplicate_chars(6), 6);
        assert_eq!(runs.duplicate_chars(7), 0);
    }

    #[test]
    fn the_most_frequent_run_counts_its_spaces() {
        assert_eq!(WordRuns::of("the sea the sea the sea").top_chars(2), 3 * "the sea".len());
        assert_eq!(WordRuns::of("ab c d ab e").top_chars(2), "ab c".len(), "of equals the first");
        assert_eq!(WordRuns::of("one").top_chars(2), 0);
    }

    #[test]
    fn order_enters_the_hash_of_a_run() {
        assert_ne!(hash_run(&[1, 2]), hash_run(&[2, 1]));
        assert_ne!(hash_run(&[0, 1]), hash_run(&[1]));
    }

    #[test]
    fn blank_lines_are_no_lines() {
        let repetition = Repetition::of("one\n\n\n\ntwo\n\none\n");
        assert_eq!((repetition.lines, repetition.paragraphs), (1.0 / 3.0, 1.0 / 3.0));
    }
}
