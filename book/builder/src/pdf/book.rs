//! The whole book as one Typst document: title page, contents, parts and chapters, every link checked.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Context, Result, bail};
use mdbook_renderer::RenderContext;
use mdbook_renderer::book::{BookItem, Chapter};

use super::markdown::{self, Place};
use super::quoted;

/// How the book looks: the functions that the pages' markup calls.
const STYLE: &str = include_str!("style.typ");

/// A Typst document that knows which page each part of it comes from.
#[derive(Debug, Default)]
pub struct Document {
    /// The markup.
    pub text: String,
    /// Where each page starts in `text`, in order.
    pages: Vec<(usize, String)>,
    labels: HashSet<String>,
    /// Page, and the label that it links to.
    links: Vec<(String, String)>,
}

impl Document {
    /// The page that the markup at `offset` comes from.
    pub fn page_at(&self, offset: usize) -> &str {
        let page = self.pages.iter().rev().find(|(start, _)| *start <= offset);
        page.map_or("the title page", |(_, page)| page)
    }

    fn put_chapter(&mut self, chapter: &Chapter, page: &str, level: usize) -> Result<()> {
        self.pages.push((self.text.len(), page.to_string()));
        let (number, title) = numbered(&chapter.name);
        let place = Place { page, level, lists_sections: number.is_some() };
        let typst = markdown::to_typst(&chapter.content, place).with_context(|| page.to_string())?;
        let number = number.map_or("none".to_string(), quoted);
        self.text.push_str(&format!("#chapter({level}, {number}, {}, {});\n", quoted(title), quoted(page)));
        self.text.push_str(&typst.body);
        self.labels.insert(page.to_string());
        self.labels.extend(typst.labels);
        self.links.extend(typst.links.into_iter().map(|link| (page.to_string(), link)));
        Ok(())
    }

    fn check_links(&self) -> Result<()> {
        let broken: Vec<String> = self
            .links
            .iter()
            .filter(|(_, link)| !self.labels.contains(link))
            .map(|(page, link)| format!("{page}: the link to {link} leads nowhere"))
            .collect();
        if !broken.is_empty() {
            bail!("{}", broken.join("\n"));
        }
        Ok(())
    }
}

/// Converts the preprocessed book.
///
/// # Errors
/// A page that cannot be converted, or links that lead nowhere; both name the page.
pub fn to_typst(context: &RenderContext) -> Result<Document> {
    let settings = &context.config.book;
    let mut document = Document { text: STYLE.to_string(), ..Document::default() };
    let title = settings.title.as_deref().unwrap_or("Untitled");
    let subtitle = settings.description.as_deref().unwrap_or_default();
    document.text.push_str(&format!("#show: book.with({}, {});\n", quoted(title), quoted(subtitle)));
    let mut in_part = false;
    let mut errors = Vec::new();
    for item in context.book.iter() {
        match item {
            BookItem::PartTitle(title) => {
                in_part = true;
                document.text.push_str(&format!("#part({});\n", quoted(title)));
            }
            BookItem::Chapter(chapter) => {
                let Some(page) = chapter.path.as_deref().and_then(Path::to_str) else {
                    continue;
                };
                in_part &= chapter.number.is_some();
                let level = usize::from(in_part) + 1 + chapter.parent_names.len();
                if let Err(error) = document.put_chapter(chapter, page, level) {
                    errors.push(format!("{error:#}"));
                }
            }
            BookItem::Separator => {}
        }
    }
    if !errors.is_empty() {
        bail!("{}", errors.join("\n"));
    }
    document.check_links()?;
    Ok(document)
}

/// Splits `5 Attention` into number and title.
fn numbered(name: &str) -> (Option<&str>, &str) {
    match name.split_once(' ') {
        Some((number, title)) if number.chars().all(|c| c.is_ascii_digit()) => (Some(number), title),
        _ => (None, name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_with_a_number_are_split() {
        assert_eq!(numbered("5 Attention"), (Some("5"), "Attention"));
        assert_eq!(numbered("How to read"), (None, "How to read"));
    }
}
