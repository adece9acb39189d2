//! `llm corpus extract FILE|-`: the main text of one page.
//!
//! The text is what the pipeline would take: headings, lists, tables and code in Markdown's plain form. The headline is in
//! it where the page shows one; `<title>` is printed by `--json` alone, since sites write their own name into it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use corpus::html::{Extracted, MAX_HTML_BYTES};
use corpus::rustdoc::extract_page;
use llm_from_scratch::request::WrongRequest;
use serde::Serialize;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  llm corpus extract page.html\n  curl -s https://example.org | llm corpus extract - --json"
)]
pub(super) struct ExtractArgs {
    /// A page of HTML; - reads standard input
    #[arg(value_name = "FILE|-")]
    page: PathBuf,
    /// Print {title, text, licence, robots}
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Shown<'a> {
    title: Option<&'a str>,
    text: &'a str,
    licence: Option<&'a str>,
    robots: Option<&'a str>,
}

pub(super) fn run(args: &ExtractArgs, out: &mut dyn Write) -> Result<()> {
    let bytes = read_page(args)?;
    let Extracted { title, text, licence, robots, .. } = extract_page(&String::from_utf8_lossy(&bytes));
    if args.json {
        let shown =
            Shown { title: title.as_deref(), text: &text, licence: licence.as_deref(), robots: robots.as_deref() };
        writeln!(out, "{}", serde_json::to_string(&shown)?)?;
    } else if !text.is_empty() {
        writeln!(out, "{text}")?;
    }
    Ok(())
}

/// No more than the extractor looks at.
fn read_page(args: &ExtractArgs) -> Result<Vec<u8>> {
    let path = &args.page;
    let mut bytes = Vec::new();
    let source: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(io::stdin())
    } else if path.is_file() {
        Box::new(File::open(path).with_context(|| format!("cannot open {}", path.display()))?)
    } else {
        let message = format!("{} is no file; give a page of HTML, or - for standard input", path.display());
        return Err(WrongRequest::new(message).into());
    };
    source
        .take(MAX_HTML_BYTES as u64)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(bytes)
}
