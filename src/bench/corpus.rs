//! What a page costs as the corpus grows: signatures a second on one core, and a whole job over 1, 10 and 100 times as many
//! documents, of which a known share are copies and edited copies.
//!
//! The documents are invented: sentences of invented words, so that two of them are alike only if one was made from the
//! other. CPU time is the process's own (user and system, Linux alone), so that a busy machine does not count.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};
use corpus::atomic_file::AtomicFile;
use corpus::job::plan::Plan;
use corpus::job::{Job, Others, Shard};
use corpus::language::LanguageConfig;
use corpus::minhash::{MinHashConfig, Permutations, ShingleHash};
use corpus::read::list;
use corpus::{Document, JobConfig, PipelineConfig};
use serde::Serialize;

use super::{peak_resident_mb, seconds};

const WORDS_PER_DOCUMENT: usize = 300;
/// Of ten documents one is a copy and one an edited copy of an earlier one.
const COPY_EVERY: u64 = 10;
/// In an edited copy one word of so many is another.
const EDIT_EVERY: u64 = 60;
/// Documents a file.
const PER_FILE: u64 = 2000;

/// Costs at several sizes.
#[derive(Debug, Clone, Serialize)]
pub struct CorpusBench {
    /// Documents a second and core: words, hashes of shingles, 120 minima.
    pub signatures_per_s: f64,
    /// The same with SHA-1 for the hash, as in datasketch.
    pub signatures_per_s_sha1: f64,
    /// Words of such a document.
    pub words_per_document: usize,
    /// A job at 1, 10 and 100 times the documents.
    pub growth: Vec<Growth>,
    /// The plan for a terabyte on 16 threads, in parts of a gigabyte.
    pub terabyte: Plan,
}

/// A whole job at one size.
#[derive(Debug, Clone, Serialize)]
pub struct Growth {
    /// Documents.
    pub n_documents: u64,
    /// Bytes of their JSON lines.
    pub input_bytes: u64,
    /// Seconds on all threads.
    pub wall_s: f64,
    /// Seconds of all threads together, where the system tells.
    pub cpu_s: Option<f64>,
    /// Most memory of this process so far.
    pub peak_mb: Option<f64>,
    /// Copies found, of those planted.
    pub copies: (usize, u64),
    /// Edited copies found, of those planted.
    pub near_copies: (usize, u64),
}

/// Measures, with `n_documents` documents for the smallest size, in a temporary folder below `folder`.
///
/// # Errors
/// If the disk fails.
pub fn corpus(n_documents: u64, folder: &Path) -> Result<CorpusBench> {
    let folder = folder.join(format!("llm-bench-corpus-{}", std::process::id()));
    let measured = measure(n_documents, &folder);
    let _ = std::fs::remove_dir_all(&folder);
    measured
}

fn measure(n_documents: u64, folder: &Path) -> Result<CorpusBench> {
    Ok(CorpusBench {
        signatures_per_s: signatures_per_s(ShingleHash::Xxh3)?,
        signatures_per_s_sha1: signatures_per_s(ShingleHash::Sha1)?,
        words_per_document: WORDS_PER_DOCUMENT,
        growth: [1, 10, 100].iter().map(|times| grow(n_documents * times, folder)).collect::<Result<_>>()?,
        terabyte: Plan::for_sizes(1_000_000_000_000, 1 << 30, 1000, &JobConfig::default(), 16),
    })
}

/// The median of several rounds on one thread, in its CPU time where that is known.
fn signatures_per_s(shingle_hash: ShingleHash) -> Result<f64> {
    const N_DOCUMENTS: u64 = 500;
    let config = MinHashConfig { shingle_hash, ..MinHashConfig::default() };
    let permutations = Permutations::new(&config);
    let texts: Vec<String> = (0..N_DOCUMENTS).map(|i| text(i * COPY_EVERY)).collect();
    let mut rounds = Vec::new();
    for _ in 0..9 {
        let sign = || Ok(texts.iter().map(|text| permutations.sign(text, &config)[0]).fold(0, u32::wrapping_add));
        let before = thread_cpu_seconds();
        let (wall_s, sum) = seconds(sign)?;
        let elapsed_s = thread_cpu_seconds().zip(before).map_or(wall_s, |(after, before)| after - before);
        std::hint::black_box(sum);
        rounds.push(N_DOCUMENTS as f64 / elapsed_s);
    }
    rounds.sort_by(f64::total_cmp);
    Ok(rounds[rounds.len() / 2])
}

fn grow(n_documents: u64, folder: &Path) -> Result<Growth> {
    let (input, out) = (folder.join(format!("in-{n_documents}")), folder.join(format!("out-{n_documents}")));
    write_documents(&input, n_documents).with_context(|| format!("cannot write to {}", input.display()))?;
    let files = list(&[input])?.files;
    let input_bytes = files.iter().map(|file| file.n_bytes).sum();
    // The language of invented words is none; what is measured is the rest.
    let language = LanguageConfig { min_letters: usize::MAX, ..LanguageConfig::default() };
    let pipeline = PipelineConfig { language, ..PipelineConfig::default() };
    let config = JobConfig { pipeline, part_bytes: 8 << 20, range_bytes: 32 << 20, ..JobConfig::default() };
    let before = cpu_seconds();
    let run = || {
        let job = Job::open(&out, files, &config, &[])?;
        Ok(job.run(Shard::WHOLE, rayon::current_num_threads(), Others::Leave, &|_, _, _| {})?)
    };
    let (wall_s, report) = seconds(run)?;
    let cpu_s = cpu_seconds().zip(before).map(|(after, before)| after - before);
    let dropped = |stage: corpus::Stage| {
        let report = report.funnel.stages.iter().find(|report| report.stage == stage);
        report.map_or(0, |report| report.documents_in - report.documents_out)
    };
    let copies = (dropped(corpus::Stage::ExactDedup), n_documents / COPY_EVERY);
    let near_copies = (dropped(corpus::Stage::NearDedup), n_documents / COPY_EVERY);
    Ok(Growth { n_documents, input_bytes, wall_s, cpu_s, peak_mb: peak_resident_mb(), copies, near_copies })
}

fn write_documents(folder: &Path, n_documents: u64) -> io::Result<()> {
    for start in (0..n_documents).step_by(PER_FILE as usize) {
        let mut file = AtomicFile::create(&folder.join(format!("{:06}.jsonl", start / PER_FILE)))?;
        for i in start..(start + PER_FILE).min(n_documents) {
            serde_json::to_writer(&mut file, &Document::new(i.to_string(), "", text(i)))?;
            file.write_all(b"\n")?;
        }
        file.finish()?;
    }
    Ok(())
}

/// The text of document `i`: of ten, number 8 repeats number 0, and number 9 is number 1 with some words changed.
fn text(i: u64) -> String {
    let (source, is_edited) = match i % COPY_EVERY {
        8 => (i - 8, false),
        9 => (i - 8, true),
        _ => (i, false),
    };
    let mut text = String::new();
    for place in 0..WORDS_PER_DOCUMENT as u64 {
        let is_other = is_edited && place % EDIT_EVERY == 1 + EDIT_EVERY / 2;
        let random = mixed(mixed(source.wrapping_mul(0x1_0001)) ^ place ^ if is_other { 1 << 40 } else { 0 });
        // The quality rules ask for stop words and for sentences.
        match place % 12 {
            0 => text.push_str("The"),
            3 => text.push_str("of the"),
            6 => text.push_str("and"),
            9 => text.push_str("to"),
            _ => push_word(random, &mut text),
        }
        text.push_str(match place % 60 {
            59 => ".\n\n",
            at if at % 12 == 11 => ". ",
            _ => " ",
        });
    }
    text.truncate(text.trim_end().len());
    text
}

/// One of 160,000 words of two or three syllables.
fn push_word(random: u64, text: &mut String) {
    const SYLLABLES: [&str; 20] = [
        "ba", "den", "fi", "gor", "hu", "ka", "lem", "mi", "nor", "pu", "ra", "sel", "ti", "vor", "wu", "za", "bel",
        "dri", "fo", "gan",
    ];
    for at in 0..2 + random % 2 {
        text.push_str(SYLLABLES[(random >> (8 + 8 * at)) as usize % SYLLABLES.len()]);
    }
}

/// SplitMix64's finaliser.
fn mixed(mut value: u64) -> u64 {
    value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// Seconds that this process has computed so far, on all threads. Known on Linux alone, where the clock ticks 100 times a second.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in parentheses, may have spaces.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

/// Seconds that this thread has computed so far, where Linux tells.
fn thread_cpu_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(text.split_whitespace().next()?.parse::<f64>().ok()? / 1e9)
}

impl fmt::Display for CorpusBench {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(
            f,
            "signatures of {} words, one core: {:.0} a second, {:.0} with SHA-1\n",
            self.words_per_document, self.signatures_per_s, self.signatures_per_s_sha1
        )?;
        writeln!(
            f,
            "{:>10} {:>9} {:>8} {:>8} {:>11} {:>9} {:>15} {:>15}",
            "documents", "input MB", "wall s", "CPU s", "CPU us each", "peak MB", "copies", "near copies"
        )?;
        for row in &self.growth {
            let or_dash =
                |value: Option<f64>, digits| value.map_or("-".to_string(), |value| format!("{value:.digits$}"));
            let each = row.cpu_s.map(|cpu_s| 1e6 * cpu_s / row.n_documents as f64);
            let of = |(found, planted): (usize, u64)| format!("{found} of {planted}");
            writeln!(
                f,
                "{:>10} {:>9.1} {:>8.2} {:>8.2} {:>11} {:>9} {:>15} {:>15}",
                row.n_documents,
                row.input_bytes as f64 / 1e6,
                row.wall_s,
                row.cpu_s.unwrap_or(f64::NAN),
                or_dash(each, 0),
                or_dash(row.peak_mb, 0),
                of(row.copies),
                of(row.near_copies)
            )?;
        }
        write!(f, "\na terabyte of text, planned:\n{}", self.terabyte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planted_copies_are_found_at_any_size() {
        let folder = tempfile::tempdir().unwrap();
        let found = grow(400, folder.path()).unwrap();
        assert_eq!((found.copies, found.near_copies), ((40, 40), (40, 40)));
    }
}
