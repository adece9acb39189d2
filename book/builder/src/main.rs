//! `cargo run -p book`: builds the web book and the PDF of the repository that holds the current folder.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let started = Instant::now();
    let here = std::env::current_dir().context("cannot tell the current folder")?;
    let root = book::repository(&here)?;
    let built = book::build(&root, &root.join("target/book"))?;
    println!("{}", built.web.display());
    println!("{} ({} pages)", built.pdf.display(), built.n_pages);
    println!("{:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}
