//! Checks the whole book against the repository, in both directions: what a page asks for exists, and what the tests
//! hold for the book is shown.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::directive::Directive;
use super::sources::Sources;

/// Everything that is wrong with the pages of the book at `root`, one line each; empty when all is well.
///
/// A problem is: a directive whose content is missing or empty; a tour's section, or a figure, that no page shows; a
/// chapter without a page in `SUMMARY.md`; a page that `SUMMARY.md` does not list.
///
/// # Errors
/// A folder or page that cannot be read.
pub fn problems(root: &Path) -> Result<Vec<String>> {
    let sources = Sources::new(root);
    let mut shown = Shown::default();
    let mut problems = Vec::new();
    let pages = names(&root.join(Sources::PAGES), ".md")?;
    for page in &pages {
        check_page(&sources, page, &mut shown, &mut problems)?;
    }
    check_summary(root, &pages, &mut problems)?;
    check_outputs(&sources, &shown, &mut problems)?;
    for figure in names(&root.join(Sources::FIGURES[0]), ".svg")? {
        if !shown.figures.contains(&figure) {
            problems.push(format!("{}/{figure}.svg is shown by no page", Sources::FIGURES[0]));
        }
    }
    Ok(problems)
}

/// What the pages show.
#[derive(Default)]
struct Shown {
    /// Tour and section; an empty section stands for the whole output.
    outputs: BTreeSet<(String, String)>,
    figures: BTreeSet<String>,
}

fn check_page(sources: &Sources, page: &str, shown: &mut Shown, problems: &mut Vec<String>) -> Result<()> {
    let file = format!("{}/{page}.md", Sources::PAGES);
    let text = fs::read_to_string(sources.root().join(&file)).with_context(|| file.clone())?;
    for (at, line) in text.lines().enumerate() {
        let found = Directive::in_line(line).and_then(|found| match found {
            Some((_, directive)) => sources.find(directive).map(|_| Some(directive)),
            None => Ok(None),
        });
        match found {
            Ok(Some(Directive::Output { tour, section })) => {
                shown.outputs.insert((tour.to_string(), section.unwrap_or_default().to_string()));
            }
            Ok(Some(Directive::Figure { name, .. })) => {
                shown.figures.insert(name.to_string());
            }
            Ok(Some(Directive::Include { .. }) | None) => {}
            Err(error) => problems.push(format!("{file}:{}: {error:#}", at + 1)),
        }
    }
    Ok(())
}

fn check_summary(root: &Path, pages: &[String], problems: &mut Vec<String>) -> Result<()> {
    let file = root.join(Sources::PAGES).join("SUMMARY.md");
    let summary = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let listed = |page: &str| summary.contains(&format!("({page}.md)")) || summary.contains(&format!("(./{page}.md)"));
    for page in pages.iter().filter(|page| *page != "SUMMARY" && !listed(page)) {
        problems.push(format!("{}/{page}.md is not in SUMMARY.md", Sources::PAGES));
    }
    for chapter in names(&root.join("chapters"), "")? {
        if !listed(&chapter) {
            problems.push(format!("chapters/{chapter} has no page in SUMMARY.md"));
        } else if !pages.contains(&chapter) {
            problems.push(format!("{}/{chapter}.md does not exist", Sources::PAGES));
        }
    }
    Ok(())
}

fn check_outputs(sources: &Sources, shown: &Shown, problems: &mut Vec<String>) -> Result<()> {
    for snapshot in names(&sources.root().join(Sources::SNAPSHOTS), ".snap")? {
        let Some(tour) = snapshot.strip_prefix("tours__") else {
            continue;
        };
        if shown.outputs.contains(&(tour.to_string(), String::new())) {
            continue;
        }
        match sources.sections(tour) {
            Ok(sections) if sections.is_empty() => problems.push(format!("no page shows the output of {tour}")),
            Ok(sections) => problems.extend(
                sections
                    .into_iter()
                    .filter(|(title, _)| !shown.outputs.contains(&(tour.to_string(), title.clone())))
                    .map(|(title, _)| format!("no page shows section `{title}` of the tour of {tour}")),
            ),
            Err(error) => problems.push(format!("{error:#}")),
        }
    }
    Ok(())
}

/// The names in `folder` that end in `extension`, without it, sorted; none where the folder does not exist.
fn names(folder: &Path, extension: &str) -> Result<Vec<String>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        if entry.path().is_dir() != extension.is_empty() {
            continue;
        }
        if let Some(name) = entry.file_name().to_string_lossy().strip_suffix(extension) {
            names.push(name.to_string());
        }
    }
    names.sort();
    Ok(names)
}
