//! Reads what a chapter's tour printed from the snapshot that the tests hold.
//!
//! An `insta` snapshot is a YAML header between two `---` lines, then the text. A tour divides its text into sections:
//! a line `== title ==`, then the lines that belong to it.

use anyhow::{Context, Result, bail};

/// The text of a snapshot file, without its header.
///
/// # Errors
/// A file without the two `---` lines, or with nothing behind them.
pub fn text(file: &str) -> Result<&str> {
    let text = file
        .strip_prefix("---\n")
        .and_then(|rest| rest.split_once("\n---\n"))
        .map(|(_, text)| text.trim_matches('\n').trim_end())
        .context("the snapshot has no header between two `---` lines")?;
    if text.trim().is_empty() {
        bail!("the snapshot is empty");
    }
    Ok(text)
}

/// The sections of a tour's text, as pairs of title and content without the blank lines around it.
///
/// # Errors
/// Two sections with one title, or a section without content.
pub fn sections(text: &str) -> Result<Vec<(&str, String)>> {
    let mut sections: Vec<(&str, String)> = Vec::new();
    for line in text.lines() {
        if let Some(title) = title(line) {
            if sections.iter().any(|(other, _)| *other == title) {
                bail!("two sections have the title `{title}`");
            }
            sections.push((title, String::new()));
        } else if let Some((_, content)) = sections.last_mut() {
            content.push_str(line);
            content.push('\n');
        }
    }
    for (title, content) in &mut sections {
        *content = content.trim_matches('\n').trim_end().to_string();
        if content.trim().is_empty() {
            bail!("section `{title}` is empty");
        }
    }
    Ok(sections)
}

fn title(line: &str) -> Option<&str> {
    line.trim_end().strip_prefix("== ")?.strip_suffix(" ==").map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "---\nsource: tests/tours.rs\nexpression: out\n---\n== one ==\n  a\n\nb\n\n== two ==\nc\n";

    #[test]
    fn the_header_is_left_out_and_sections_are_split() {
        let text = text(FILE).unwrap();
        assert!(text.starts_with("== one ==") && text.ends_with('c'));
        assert_eq!(sections(text).unwrap(), [("one", "  a\n\nb".to_string()), ("two", "c".to_string())]);
    }

    #[test]
    fn refuses_no_header_empty_sections_and_equal_titles() {
        assert!(text("== one ==\na\n").is_err());
        assert!(text("---\nsource: x\n---\n\n").is_err());
        assert!(sections("== one ==\n\n== two ==\nb").is_err());
        assert!(sections("== one ==\na\n== one ==\nb").is_err());
    }
}
