//! Extracts many pages in one thread, to compare with other extractors (`tests/reference/extraction_peers.py`).
//!
//! Standard input holds one path a line. For each, standard output gets the number of bytes of the text in one line, and
//! then the text. With `--seconds N`, it prints instead how long `N` rounds over all pages took, reading not counted.

use std::io::{Read, Write};

use anyhow::{Context, Result};
use corpus::html::seconds;
use corpus::rustdoc::extract_page;

fn main() -> Result<()> {
    let mut paths = String::new();
    std::io::stdin().read_to_string(&mut paths)?;
    let read = |path: &str| {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {path}"))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let pages: Vec<String> = paths.lines().map(read).collect::<Result<_>>()?;
    let mut out = std::io::stdout().lock();
    if std::env::args().nth(1).as_deref() == Some("--seconds") {
        let n_rounds = std::env::args().nth(2).context("give the number of rounds: --seconds 5")?.parse()?;
        writeln!(out, "{}", seconds(&pages, n_rounds))?;
        return Ok(());
    }
    for page in &pages {
        let text = extract_page(page).text;
        writeln!(out, "{}", text.len())?;
        out.write_all(text.as_bytes())?;
    }
    Ok(())
}
