//! `llm corpus dedup`: one JSONL file without its copies and near copies.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use corpus::atomic_file::AtomicFile;
use corpus::jsonl_dedup::{DedupCounts, KeptLines, keep_lines};
use corpus::minhash::{MinHashConfig, ShingleHash};
use corpus::substring_dedup::SubstringConfig;
use llm_from_scratch::request::WrongRequest;

use crate::cli::numbers::whole;

/// The length of a signature unless the user says otherwise, as in datasketch.
const N_HASHES: usize = 128;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  llm corpus dedup --input pages.jsonl --out unique.jsonl\n  zcat pages.jsonl.gz | llm corpus dedup --input - --out - --threshold 0.7 > unique.jsonl\n  llm corpus dedup --input pages.jsonl --out unique.jsonl --substring 200"
)]
pub(super) struct DedupArgs {
    /// JSON lines with a field "text"; - for standard input, which is then held in memory
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Where the lines that stay go, unchanged; - for standard output
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Least similarity (Jaccard, of runs of words) of two texts of which one goes
    #[arg(long, value_name = "T", default_value_t = 0.8)]
    threshold: f64,
    /// Length of a signature: more are more exact and slower
    #[arg(long, value_name = "N", default_value_t = N_HASHES)]
    hashes: usize,
    /// Words in a run
    #[arg(long, value_name = "N", default_value_t = MinHashConfig::default().shingle_words)]
    shingle_words: usize,
    /// The hash of a run: xxh3, or sha1 as in datasketch
    #[arg(long, value_name = "HASH", default_value = "xxh3", value_parser = shingle_hash)]
    shingle_hash: ShingleHash,
    /// Remove from the lines that stay all passages of so many bytes or more that occurred before; needs memory of five times the text
    #[arg(long, value_name = "BYTES")]
    substring: Option<usize>,
    /// Most bytes of text in which passages are looked for
    #[arg(long, value_name = "BYTES", requires = "substring", default_value_t = SubstringConfig::default().max_bytes, value_parser = whole::<u64>)]
    substring_max_bytes: u64,
    /// A line that lost passages and has fewer words left goes
    #[arg(long, value_name = "N", requires = "substring", default_value_t = SubstringConfig::default().min_document_words)]
    substring_min_words: usize,
    /// Print the counts as one JSON object (to standard error if --out is -)
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &DedupArgs, out: &mut dyn Write) -> Result<()> {
    let config = MinHashConfig::for_threshold(args.threshold, args.hashes)
        .map(|config| MinHashConfig { shingle_words: args.shingle_words, shingle_hash: args.shingle_hash, ..config })
        .and_then(|config| config.validate().map(|()| config))
        .map_err(|error| WrongRequest::new(error.to_string()))?;
    let substring = args.substring();
    substring.validate().map_err(|error| WrongRequest::new(error.to_string()))?;
    let is_stdout = args.out.as_os_str() == "-";
    let counts = if args.input.as_os_str() == "-" {
        let mut text = Vec::new();
        io::stdin().read_to_end(&mut text).context("cannot read standard input")?;
        deduplicate(|| Ok(&text[..]), &config, &substring, &args.out, out)?
    } else {
        let open = || open(&args.input);
        deduplicate(open, &config, &substring, &args.out, out)?
    };
    let summary = if args.json { serde_json::to_string(&counts)? } else { words(&counts, &config) };
    if is_stdout {
        eprintln!("{summary}");
    } else {
        writeln!(out, "{summary}")?;
    }
    Ok(())
}

fn shingle_hash(name: &str) -> Result<ShingleHash, String> {
    serde_json::from_value(name.into()).map_err(|_| format!("there is no shingle hash {name}; choose xxh3 or sha1"))
}

impl DedupArgs {
    fn substring(&self) -> SubstringConfig {
        let whether = SubstringConfig { enabled: self.substring.is_some(), ..SubstringConfig::default() };
        SubstringConfig {
            min_bytes: self.substring.unwrap_or(whether.min_bytes),
            max_bytes: self.substring_max_bytes,
            min_document_words: self.substring_min_words,
            ..whether
        }
    }
}

/// `open` gives the same input each time.
fn deduplicate<R: BufRead>(
    open: impl Fn() -> Result<R>,
    config: &MinHashConfig,
    substring: &SubstringConfig,
    target: &Path,
    mut out: &mut dyn Write,
) -> Result<DedupCounts> {
    let mut kept: KeptLines = keep_lines(open()?, config)?;
    if substring.enabled {
        kept.cut_passages(open()?, substring).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput => WrongRequest::new(error.to_string()).into(),
            _ => anyhow::Error::from(error),
        })?;
    }
    if target.as_os_str() == "-" {
        kept.write(open()?, &mut out)?;
        out.flush()?;
    } else {
        let mut file = AtomicFile::create(target)?;
        kept.write(open()?, &mut file)?;
        file.finish()?;
    }
    Ok(kept.counts)
}

fn open(path: &Path) -> Result<BufReader<File>> {
    let open = || -> io::Result<File> {
        let file = File::open(path)?;
        let is_file = file.metadata()?.is_file();
        if is_file { Ok(file) } else { Err(io::Error::other("it is no file that can be read twice")) }
    };
    let file = open().map_err(|error| {
        let message =
            format!("cannot read {}: {error}; give a file of JSON lines, or - for standard input", path.display());
        WrongRequest::new(message)
    })?;
    Ok(BufReader::with_capacity(1 << 18, file))
}

fn words(counts: &DedupCounts, config: &MinHashConfig) -> String {
    let DedupCounts { n_lines, n_kept, n_exact, n_near, n_unreadable, first_unreadable, .. } = counts;
    let mut words = format!(
        "{n_kept} of {n_lines} lines stay: {n_exact} exact copies and {n_near} near copies went ({} bands of {} rows)",
        config.bands, config.rows
    );
    if counts.passage_bytes > 0 {
        words.push_str(&format!(
            "\nrepeated passages of {:.1} KB went from {} lines, and {} lines of which little else was left",
            counts.passage_bytes as f64 / 1e3,
            counts.n_shortened,
            counts.n_too_little_left
        ));
    }
    if let Some(first) = first_unreadable {
        words.push_str(&format!("\n{n_unreadable} lines without a text went too, the first is {first}"));
    }
    words
}
