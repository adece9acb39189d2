//! Deduplicates one JSONL file: for a data set that is clean already and only repeats itself.
//!
//! The lines are read twice. The first time each becomes a hash of its words and, unless that hash was seen, a
//! signature: 16 bytes a line and `4 n_hashes` bytes a distinct text, whatever the texts' lengths. Then exact copies and
//! clusters are known, and the second time the lines of the pages that stay are written byte for byte as they were, with all their fields.
//!
//! [`KeptLines::cut_passages`] reads once more, and then a line may lose passages that an earlier one has. Such a line is written anew,
//! with its other fields in their order.
//!
//! Lines are signed on all threads in batches; the result does not depend on their number. Lines without a string `text` are
//! dropped and counted.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, BufRead, Write};
use std::ops::Range;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

use crate::document::Document;
use crate::exact_dedup::words_hash;
use crate::minhash::{MinHashConfig, Permutations, clusters_of, shingle_hashes};
use crate::setting::InvalidSetting;
use crate::substring_dedup::{self, SubstringConfig, Texts};
use crate::words::JoinedWords;

/// Lines that are signed at once.
const BATCH_LINES: usize = 1024;

/// Longer lines are an error: memory is bounded, and a file without line breaks is no JSONL.
const MAX_LINE_BYTES: u64 = 1 << 28;

/// What became of the lines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DedupCounts {
    /// Lines that are not empty.
    pub n_lines: usize,
    /// Lines that stay.
    pub n_kept: usize,
    /// Lines with the words of an earlier one.
    pub n_exact: usize,
    /// Other lines that are not the first of their cluster.
    pub n_near: usize,
    /// Lines that lost most of their text as repeated passages.
    pub n_too_little_left: usize,
    /// Lines that stay and lost passages.
    pub n_shortened: usize,
    /// Bytes of text that went with repeated passages, those of lines that went for them too.
    pub passage_bytes: usize,
    /// Lines that are no JSON object with a string `text`.
    pub n_unreadable: usize,
    /// The number of the first unreadable line, from 1, and what is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_unreadable: Option<String>,
}

/// Which lines of a file stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptLines {
    kept: Vec<bool>,
    /// What goes of a line's text, for those that are written anew, and the hash of the line.
    passages: HashMap<usize, (u64, Vec<Range<usize>>)>,
    substring: SubstringConfig,
    /// What became of all lines.
    pub counts: DedupCounts,
}

// ANCHOR: keep_lines
/// Reads all lines and decides which stay.
///
/// # Errors
/// If the input cannot be read, or has a line of more than 256 MiB.
pub fn keep_lines(input: impl BufRead, config: &MinHashConfig) -> io::Result<KeptLines> {
    let mut lines = Lines::default();
    let permutations = Permutations::new(config);
    let mut first_with: HashMap<u128, ()> = HashMap::new();
    let mut signatures = Vec::new();
    let mut places = Vec::new();
    for_each_batch(input, |batch| {
        let sketch = |line: &Vec<u8>| {
            let line: Line = serde_json::from_slice(line).map_err(|error| error.to_string())?;
            let words = JoinedWords::new(&line.text);
            Ok((words_hash(&words), permutations.signature(&shingle_hashes(&words, config))))
        };
        let sketches: Vec<Result<_, String>> = batch.par_iter().map(sketch).collect();
        for sketch in sketches {
            match sketch {
                Err(reason) => lines.unreadable(reason),
                Ok((hash, _)) if first_with.insert(hash, ()).is_some() => lines.exact_copy(),
                Ok((_, signature)) => {
                    places.push(lines.kept.len());
                    signatures.push(signature);
                    lines.kept.push(true);
                }
            }
        }
        Ok(())
    })?;
    for (place, earlier) in places.into_iter().zip(clusters_of(&signatures, config)) {
        lines.kept[place] = earlier.is_none();
        lines.counts.n_near += usize::from(earlier.is_some());
    }
    lines.counts.n_lines = lines.kept.len();
    lines.counts.n_kept = lines.kept.iter().filter(|&&kept| kept).count();
    let (passages, substring) = (HashMap::new(), SubstringConfig::default());
    Ok(KeptLines { kept: lines.kept, passages, substring, counts: lines.counts })
}
// ANCHOR_END: keep_lines

impl KeptLines {
    // ANCHOR: cut_passages
    /// Finds the passages of the lines that stay which occurred before, from the same input.
    ///
    /// # Errors
    /// If the input cannot be read, or has more text than `config` allows ([`InvalidSetting`] is the cause then).
    pub fn cut_passages(&mut self, input: impl BufRead, config: &SubstringConfig) -> io::Result<()> {
        let mut texts = Texts::new(config);
        let mut places = Vec::new();
        let mut kept = self.kept.iter().enumerate();
        for_each_batch(input, |batch| {
            for line in batch {
                if let (place, true) = kept.next().ok_or_else(changed)? {
                    texts.push(&serde_json::from_slice::<Line>(line)?.text).map_err(refused)?;
                    places.push((place, xxh3_64(line)));
                }
            }
            Ok(())
        })?;
        for (i, passages) in texts.repeated().map_err(refused)?.into_iter().enumerate() {
            let mut document = Document::new("", "", texts.text(i));
            let stays = substring_dedup::remove(&mut document, &passages, config);
            self.counts.passage_bytes += texts.text(i).len() - document.text.len();
            let (place, hash) = places[i];
            self.kept[place] = stays;
            self.counts.n_too_little_left += usize::from(!stays);
            if stays && document.text != texts.text(i) {
                self.counts.n_shortened += 1;
                self.passages.insert(place, (hash, passages));
            }
        }
        self.counts.n_kept -= self.counts.n_too_little_left;
        self.substring = config.clone();
        Ok(())
    }
    // ANCHOR_END: cut_passages

    /// Writes the lines that stay, from the same input.
    ///
    /// # Errors
    /// If the input cannot be read or the output not written, or the input has fewer or more lines than before.
    pub fn write(&self, input: impl BufRead, out: &mut impl Write) -> io::Result<()> {
        let mut kept = self.kept.iter().enumerate();
        for_each_batch(input, |batch| {
            for line in batch {
                let (place, is_kept) = kept.next().ok_or_else(changed)?;
                match self.passages.get(&place) {
                    _ if !is_kept => continue,
                    Some((hash, _)) if *hash != xxh3_64(line) => return Err(changed()),
                    Some((_, passages)) => self.write_anew(line, passages, out)?,
                    None => out.write_all(line)?,
                }
                out.write_all(b"\n")?;
            }
            Ok(())
        })?;
        if kept.next().is_some() { Err(changed()) } else { Ok(()) }
    }

    fn write_anew(&self, line: &[u8], passages: &[Range<usize>], out: &mut impl Write) -> io::Result<()> {
        let mut fields: serde_json::Map<String, Value> = serde_json::from_slice(line)?;
        let Some(Value::String(text)) = fields.get_mut("text") else { return Err(changed()) };
        let mut document = Document::new("", "", std::mem::take(text));
        substring_dedup::remove(&mut document, passages, &self.substring);
        *text = document.text;
        Ok(serde_json::to_writer(out, &fields)?)
    }
}

fn changed() -> io::Error {
    io::Error::other("the input has changed while it was read")
}

fn refused(error: InvalidSetting) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error)
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    text: Cow<'a, str>,
}

#[derive(Default)]
struct Lines {
    kept: Vec<bool>,
    counts: DedupCounts,
}

impl Lines {
    fn unreadable(&mut self, reason: String) {
        self.kept.push(false);
        self.counts.n_unreadable += 1;
        let number = self.kept.len();
        self.counts.first_unreadable.get_or_insert_with(|| format!("line {number}: {reason}"));
    }

    fn exact_copy(&mut self) {
        self.kept.push(false);
        self.counts.n_exact += 1;
    }
}

/// Hands on the lines that are not empty, without their ends.
fn for_each_batch(mut input: impl BufRead, mut work: impl FnMut(&[Vec<u8>]) -> io::Result<()>) -> io::Result<()> {
    let mut batch = Vec::with_capacity(BATCH_LINES);
    loop {
        let mut line = Vec::new();
        let n = io::Read::take(&mut input, MAX_LINE_BYTES).read_until(b'\n', &mut line)?;
        if n as u64 == MAX_LINE_BYTES {
            return Err(io::Error::other(format!("a line is longer than {MAX_LINE_BYTES} bytes; is this JSONL?")));
        }
        let is_end = n == 0;
        line.truncate(line.trim_ascii_end().len());
        if !line.is_empty() {
            batch.push(line);
        }
        if batch.len() == BATCH_LINES || is_end {
            work(&batch)?;
            batch.clear();
        }
        if is_end {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::minhash::near_duplicates;
    use crate::{World, WorldConfig};

    #[test]
    fn lines_stay_as_they_are_and_bad_ones_are_counted() {
        let words = "one two three four five six seven eight nine ten eleven twelve";
        let input = format!(
            "{{\"text\":\"{words}\", \"score\": 1.50}}\n\n{{\"text\": \"{words}!\"}}\r\n{{\"text\": 7}}\n{{\"text\":\"other\"}}"
        );
        let kept = keep_lines(input.as_bytes(), &MinHashConfig::default()).unwrap();
        let mut out = Vec::new();
        kept.write(input.as_bytes(), &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            format!("{{\"text\":\"{words}\", \"score\": 1.50}}\n{{\"text\":\"other\"}}\n")
        );
        let DedupCounts { n_lines, n_kept, n_exact, n_near, n_unreadable, first_unreadable, .. } = &kept.counts;
        assert_eq!((n_lines, n_kept, n_exact, n_near, n_unreadable), (&4, &2, &1, &0, &1));
        assert!(first_unreadable.as_ref().unwrap().starts_with("line 3: invalid type: integer `7`"), "{kept:?}");
        assert!(kept.write("{\"text\":\"fewer\"}".as_bytes(), &mut Vec::new()).is_err());
    }

    #[test]
    fn a_line_that_loses_a_passage_keeps_its_other_fields() {
        let words = |start: usize, n: usize| (start..start + n).map(|i| format!("w{i}")).collect::<Vec<_>>().join(" ");
        let quoted = words(500, 20);
        let line = |start| {
            format!(
                "{{\"n\":7,\"text\":\"{}. {quoted}. {}.\",\"id\":\"{start}\"}}",
                words(start, 30),
                words(start + 40, 30)
            )
        };
        let short = format!("{{\"text\":\"Only this. {quoted}\"}}");
        let input = [line(0), short, line(100), line(200)].join("\n");
        let mut kept = keep_lines(input.as_bytes(), &MinHashConfig::default()).unwrap();
        let config = SubstringConfig { min_bytes: 60, ..SubstringConfig::default() };
        kept.cut_passages(input.as_bytes(), &config).unwrap();
        let mut out = Vec::new();
        kept.write(input.as_bytes(), &mut out).unwrap();
        let cut = |start| line(start).replace(&format!(". {quoted}."), "");
        assert_eq!(String::from_utf8(out).unwrap(), [line(0), cut(100), cut(200), String::new()].join("\n"));
        let DedupCounts { n_kept, n_too_little_left, n_shortened, .. } = kept.counts;
        assert_eq!((n_kept, n_too_little_left, n_shortened), (3, 1, 2));
        assert!(kept.write(input.replace("w5", "v").as_bytes(), &mut Vec::new()).is_err(), "another text is not cut");
        let error = kept.cut_passages(input.as_bytes(), &SubstringConfig { max_bytes: 100, ..config }).unwrap_err();
        assert!(error.to_string().starts_with("substring.max_bytes is 100"), "{error}");
    }

    #[test]
    fn keeps_what_near_duplicates_keeps() {
        let world = World::generate(&WorldConfig { n_pages: 300, ..WorldConfig::default() }).unwrap();
        let config = MinHashConfig::default();
        let pages = world.crawl();
        let documents: Vec<Document> =
            pages.iter().map(|page| Document::new("", "", page.truth.text.clone())).collect();
        let lines: Vec<String> =
            documents.iter().map(|document| serde_json::to_string(document).unwrap() + "\n").collect();
        let kept = keep_lines(lines.concat().as_bytes(), &config).unwrap();
        let expected: Vec<bool> = near_duplicates(&documents, &config).iter().map(Option::is_none).collect();
        assert_eq!(kept.kept, expected);
        assert!(kept.counts.n_exact > 10 && kept.counts.n_near > 10, "{:?}", kept.counts);
    }
}
