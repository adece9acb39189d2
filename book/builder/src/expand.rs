//! The preprocessor that puts listings, outputs and figures into the pages.
//!
//! It replaces mdBook's own `links` preprocessor, which turns a missing anchor into an empty listing. A listing gets
//! the name of its file above it, an output the command that prints it.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use mdbook_preprocessor::book::Book;
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};

use crate::figure;
use crate::pages::{Content, Directive, Sources};

/// Where a page goes: figures differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Target {
    /// A web page: figures are inline SVG.
    #[default]
    Web,
    /// The PDF: figures are images by path from the repository's root.
    Pdf,
}

/// The preprocessor `expand`.
pub struct Expand {
    sources: Sources,
}

impl Expand {
    /// Takes listings, outputs and figures from `sources`.
    pub fn new(sources: Sources) -> Self {
        Self { sources }
    }
}

impl Preprocessor for Expand {
    fn name(&self) -> &str {
        "expand"
    }

    fn run(&self, context: &PreprocessorContext, mut book: Book) -> Result<Book> {
        let target = if context.renderer == "html" { Target::Web } else { Target::Pdf };
        for_each_page(&mut book, |page, text| expand(&self.sources, page, text, target))?;
        Ok(book)
    }
}

/// Replaces the text of every page of `book` by what `change` gives for its path and text.
///
/// # Errors
/// Those of `change`, all of them together.
pub fn for_each_page(book: &mut Book, change: impl Fn(&str, &str) -> Result<String>) -> Result<()> {
    let mut errors = Vec::new();
    book.for_each_chapter_mut(|chapter| {
        let page = chapter.path.as_deref().map(Path::display).map(|path| path.to_string()).unwrap_or_default();
        match change(&page, &chapter.content) {
            Ok(text) => chapter.content = text,
            Err(error) => errors.push(format!("{error:#}")),
        }
    });
    if errors.is_empty() { Ok(()) } else { Err(anyhow!(errors.join("\n"))) }
}

/// Replaces every directive in the `text` of `page`.
///
/// # Errors
/// A directive that cannot be replaced; the message names the page and the line.
pub fn expand(sources: &Sources, page: &str, text: &str, target: Target) -> Result<String> {
    let mut expanded = Expanded { target, ..Expanded::default() };
    for (at, line) in text.lines().enumerate() {
        expanded.push(sources, line).with_context(|| format!("{}/{page}:{}", Sources::PAGES, at + 1))?;
    }
    Ok(expanded.lines.join("\n") + "\n")
}

#[derive(Default)]
struct Expanded {
    target: Target,
    lines: Vec<String>,
    /// Whether the last line opened a code block.
    opens_block: bool,
    in_block: bool,
    /// The name above the current code block.
    label: Option<String>,
}

impl Expanded {
    fn push(&mut self, sources: &Sources, line: &str) -> Result<()> {
        let Some((before, directive)) = Directive::in_line(line)? else {
            let fence = line.trim_start_matches([' ', '>']).starts_with("```");
            self.in_block ^= fence;
            self.opens_block = fence && self.in_block;
            self.lines.push(line.replace("\\{{#", "{{#"));
            return Ok(());
        };
        match sources.find(directive)? {
            Content::Listing { file, text } => self.push_block(before, file, &text)?,
            Content::Output { tour, text } => self.push_block(before, command(&tour), &text)?,
            Content::Figure { file, name, caption } => self.push_figure(sources, before, &file, &name, &caption)?,
        }
        self.opens_block = false;
        Ok(())
    }

    fn push_block(&mut self, before: &str, label: String, text: &str) -> Result<()> {
        if !self.in_block {
            bail!("a listing or an output stands between two lines of ```");
        }
        if self.opens_block {
            let fence = self.lines.pop().unwrap_or_default();
            self.lines.push(format!("{before}<div class=\"listing-name\">{}</div>", figure::escape(&label)));
            self.lines.push(before.trim_end().to_string());
            self.lines.push(fence);
            self.label = Some(label);
        } else if self.label.as_ref() != Some(&label) {
            bail!("{label} would stand below the name of another file; give it a code block of its own");
        }
        self.lines.extend(text.lines().map(|line| format!("{before}{line}")));
        Ok(())
    }

    fn push_figure(&mut self, sources: &Sources, before: &str, file: &str, name: &str, caption: &str) -> Result<()> {
        if self.in_block {
            bail!("figure {name} stands inside a code block");
        }
        let svg = std::fs::read_to_string(sources.root().join(file)).with_context(|| format!("cannot read {file}"))?;
        // Drawn for both, so that a figure that is wrong for the web fails the PDF as well.
        let svg = figure::inline(&svg, name, caption).with_context(|| file.to_string())?;
        self.lines.push(match self.target {
            Target::Web => {
                format!("{before}<figure>{svg}<figcaption>{}</figcaption></figure>\n", figure::escape(caption))
            }
            Target::Pdf => format!("{before}![{}](/{file})", escape_markdown(caption)),
        });
        Ok(())
    }
}

/// The command that prints a tour, by its chapter's number.
fn command(tour: &str) -> String {
    let number: String = tour.chars().take_while(char::is_ascii_digit).collect();
    format!("cargo run --release -- chapter {}", number.trim_start_matches('0'))
}

fn escape_markdown(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if c.is_ascii_punctuation() {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
