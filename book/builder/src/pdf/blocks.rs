//! The blocks of a page: listings, tables, admonitions, and the paths they name.

use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Alignment, BlockQuoteKind, CodeBlockKind, CowStr};

use super::quoted;

/// A listing, with the length of its longest line, by which the style chooses the size of the letters.
pub fn listing(code: &str, language: &str) -> String {
    let code = code.trim_end();
    let columns = code.lines().map(|line| line.chars().count()).max().unwrap_or_default();
    format!("#listing({columns}, {}, {});\n", quoted(language), quoted(code))
}

/// The path from `book/src` of what `page` calls `path`.
pub fn from_pages(page: &str, path: &str) -> String {
    let folder = Path::new(page).parent().unwrap_or(Path::new(""));
    let mut resolved = PathBuf::new();
    for part in folder.join(path).components() {
        match part {
            Component::ParentDir if resolved.file_name().is_some() => {
                resolved.pop();
            }
            Component::CurDir => {}
            part => resolved.push(part),
        }
    }
    resolved.to_string_lossy().replace('\\', "/")
}

/// The word above an admonition, which is also its key in the style.
pub fn admonition(kind: BlockQuoteKind) -> &'static str {
    match kind {
        BlockQuoteKind::Note => "Note",
        BlockQuoteKind::Tip => "Tip",
        BlockQuoteKind::Important => "Important",
        BlockQuoteKind::Warning => "Warning",
        BlockQuoteKind::Caution => "Caution",
    }
}

/// The language of a code block for highlighting; empty for plain text.
pub fn language(kind: &CodeBlockKind) -> String {
    let info: &CowStr = match kind {
        CodeBlockKind::Indented => return String::new(),
        CodeBlockKind::Fenced(info) => info,
    };
    match info.split([',', ' ', '\t']).next().unwrap_or_default() {
        "text" | "console" | "sh" => String::new(),
        language => language.to_string(),
    }
}

/// The start of a table with these columns.
pub fn table(alignments: &[Alignment]) -> String {
    let columns: Vec<&str> = alignments
        .iter()
        .map(|alignment| match alignment {
            Alignment::None | Alignment::Left => "left",
            Alignment::Center => "center",
            Alignment::Right => "right",
        })
        .collect();
    format!("#table(columns: {}, align: ({},),\n", columns.len(), columns.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_from_the_page() {
        assert_eq!(from_pages("05-attention.md", "glossary.md"), "glossary.md");
        assert_eq!(from_pages("part/a.md", "../b.md"), "b.md");
        assert_eq!(from_pages("a.md", "../b.md"), "../b.md");
    }

    #[test]
    fn the_longest_line_counts() {
        assert_eq!(
            listing("ab\n\u{03b1}\u{03b2}\u{03b3}\n", ""),
            "#listing(3, \"\", \"ab\\n\u{03b1}\u{03b2}\u{03b3}\");\n"
        );
    }
}
