//! `llm chapter N`: run a chapter's experiment; `llm chapter`: list them.

use std::io::Write;

use anyhow::Result;
use clap::Args;
use llm_from_scratch::chapters::CHAPTERS;
use llm_from_scratch::request::WrongRequest;

#[derive(Debug, Args)]
#[command(after_help = "Example: llm chapter 5")]
pub(crate) struct ChapterArgs {
    /// The chapter's number; without it, the chapters are listed
    number: Option<usize>,
}

pub(crate) fn run(args: &ChapterArgs, out: &mut dyn Write) -> Result<()> {
    let Some(number) = args.number else {
        for chapter in CHAPTERS {
            writeln!(out, "{:>3}  {:<13} {}", chapter.number, chapter.name, chapter.about)?;
        }
        return Ok(());
    };
    let Some(chapter) = CHAPTERS.iter().find(|chapter| chapter.number == number) else {
        let known = CHAPTERS.map(|chapter| chapter.number.to_string()).join(", ");
        return Err(WrongRequest::new(format!("there is no chapter {number} that runs; there are: {known}")).into());
    };
    (chapter.tour)(out)
}
