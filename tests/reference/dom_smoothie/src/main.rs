//! Extracts pages by dom_smoothie, for `tests/reference/extraction_peers.py`.
//!
//! Standard input holds one path a line. For each, standard output gets the number of bytes of the text in one line, and
//! then the text. With `--seconds N`, it prints instead how many CPU-seconds `N` rounds over all pages took in one thread;
//! reading the files is not counted.

use std::error::Error;
use std::io::{Read, Write};
use std::time::Instant;

use dom_smoothie::{Config, Readability, TextMode};

fn main() -> Result<(), Box<dyn Error>> {
    let mut paths = String::new();
    std::io::stdin().read_to_string(&mut paths)?;
    let pages: Vec<String> =
        paths.lines().map(|path| Ok(String::from_utf8_lossy(&std::fs::read(path)?).into_owned())).collect::<Result<_, std::io::Error>>()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut out = std::io::stdout().lock();
    if let [flag, n_rounds] = arguments.as_slice()
        && flag == "--seconds"
    {
        let n_rounds: usize = n_rounds.parse()?;
        let start = Instant::now();
        for _ in 0..n_rounds {
            for page in &pages {
                std::hint::black_box(extract(page));
            }
        }
        writeln!(out, "{}", start.elapsed().as_secs_f64())?;
        return Ok(());
    }
    for page in &pages {
        let text = extract(page).unwrap_or_default();
        writeln!(out, "{}", text.len())?;
        out.write_all(text.as_bytes())?;
    }
    Ok(())
}

/// Its Markdown form keeps code and lists, as ours does; pages that it refuses have no text.
fn extract(html: &str) -> Option<String> {
    let config = Config { text_mode: TextMode::Markdown, ..Config::default() };
    Some(Readability::new(html, None, Some(config)).ok()?.parse().ok()?.text_content.to_string())
}
