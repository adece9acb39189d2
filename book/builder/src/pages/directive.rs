//! Reads the directives of a page: `{{#include …}}`, `{{#output …}}`, `{{#figure …}}`.
//!
//! A directive stands alone on its line, after nothing but the spaces of a list item or the `>` of a quote. It refuses
//! directives inside a sentence, unknown names and line ranges: a range goes stale when the file above it changes.
//! `\{{#` writes the two braces and the hash themselves.

use anyhow::{Result, bail};

/// One request of a page, with its arguments as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directive<'a> {
    /// Lines of a file; `path` is relative to `book/src`.
    Include {
        /// Path of the file, relative to `book/src`.
        path: &'a str,
        /// Name of the anchor; the whole file without one.
        anchor: Option<&'a str>,
    },
    /// What a chapter's tour prints.
    Output {
        /// Folder of the chapter, for example `05-attention`.
        tour: &'a str,
        /// Title of the section; the whole output without one.
        section: Option<&'a str>,
    },
    /// A drawing.
    Figure {
        /// Name of the SVG file without its extension.
        name: &'a str,
        /// What the drawing shows; also its text for those who cannot see it.
        caption: &'a str,
    },
}

impl<'a> Directive<'a> {
    /// Reads a line of a page: the text before the directive (spaces and `>` only) and the directive, or `None` for a
    /// line without one.
    ///
    /// # Errors
    /// A directive that is not alone on its line, is unknown, or lacks an argument.
    pub fn in_line(line: &'a str) -> Result<Option<(&'a str, Self)>> {
        let Some(start) = unescaped_start(line) else {
            return Ok(None);
        };
        let (before, directive) = line.split_at(start);
        let Some(inner) = directive.trim_end().strip_prefix("{{#").and_then(|rest| rest.strip_suffix("}}")) else {
            bail!("a directive must be alone on its line and end with }}}}: {}", line.trim());
        };
        if !before.chars().all(|c| c.is_whitespace() || c == '>') || inner.contains("}}") {
            bail!("a directive must be alone on its line: {}", line.trim());
        }
        Ok(Some((before, Self::parse(inner.trim())?)))
    }

    fn parse(inner: &'a str) -> Result<Self> {
        let (name, arguments) = inner.split_once(char::is_whitespace).unwrap_or((inner, ""));
        match (name, arguments.trim()) {
            ("include" | "output" | "figure", "") => bail!("{{{{#{name}}}}} needs an argument"),
            ("include", arguments) => include(arguments),
            ("output", arguments) => Ok(match arguments.split_once('#') {
                Some((tour, section)) => Self::Output { tour: tour.trim(), section: Some(section.trim()) },
                None => Self::Output { tour: arguments, section: None },
            }),
            ("figure", arguments) => figure(arguments),
            (name, _) => bail!("unknown directive {{{{#{name}}}}}; use include, output or figure"),
        }
    }
}

/// Where the first directive of a line starts, skipping `\{{#`.
fn unescaped_start(line: &str) -> Option<usize> {
    line.match_indices("{{#").map(|(at, _)| at).find(|&at| !line[..at].ends_with('\\'))
}

fn include(arguments: &str) -> Result<Directive<'_>> {
    let (path, anchor) = match arguments.split_once(':') {
        Some((path, anchor)) => (path, Some(anchor)),
        None => (arguments, None),
    };
    if anchor.is_some_and(|anchor| anchor.starts_with(|c: char| c.is_ascii_digit() || c == ':')) {
        bail!("{arguments} asks for line numbers, which go stale; mark the lines with an ANCHOR");
    }
    Ok(Directive::Include { path, anchor })
}

fn figure(arguments: &str) -> Result<Directive<'_>> {
    let Some((name, caption)) = arguments.split_once(char::is_whitespace) else {
        bail!("figure {arguments} needs a caption in quotes");
    };
    match caption.trim().strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(caption) if !caption.trim().is_empty() => Ok(Directive::Figure { name, caption }),
        _ => bail!("figure {name} needs a caption in quotes, not {caption}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_directive_with_its_indentation() {
        let read = |line| Directive::in_line(line).unwrap().unwrap();
        assert_eq!(read("{{#include ../a.rs:x}}"), ("", Directive::Include { path: "../a.rs", anchor: Some("x") }));
        assert_eq!(
            read("  > {{#output 05-attention#the mask}}"),
            ("  > ", Directive::Output { tour: "05-attention", section: Some("the mask") })
        );
        assert_eq!(read("{{#figure f \"A b\"}}"), ("", Directive::Figure { name: "f", caption: "A b" }));
        assert_eq!(Directive::in_line("no directive, \\{{#escaped}}").unwrap(), None);
    }

    #[test]
    fn refuses_what_mdbook_would_let_pass() {
        for line in [
            "see {{#include a.rs}}",
            "{{#include a.rs}} here",
            "{{#include a.rs:3:5}}",
            "{{#include}}",
            "{{#playground a.rs}}",
            "{{#figure f}}",
            "{{#figure f \"\"}}",
            "{{#include a.rs",
        ] {
            assert!(Directive::in_line(line).is_err(), "{line} was accepted");
        }
    }
}
