//! One page's Markdown as Typst markup.
//!
//! The parser's events are matched exhaustively, without a wildcard: a kind of Markdown that a new parser knows and this
//! file does not is a compile error, and one that has no form on paper is an error that names the page.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result, bail};
use pulldown_cmark::{Event, HeadingLevel, Parser, Tag, TagEnd};

use super::slug::Slugs;
use super::{blocks, html, markdown_options, quoted};
use crate::math::{self, Display};

/// A page in Typst, with what its links need.
#[derive(Debug)]
pub struct Page {
    /// Typst markup.
    pub body: String,
    /// The places that links may name: `page.md#id`.
    pub labels: Vec<String>,
    /// The places that this page's links name.
    pub links: Vec<String>,
}

/// Where a page stands in the book.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Path of the page from `book/src`.
    pub page: &'a str,
    /// Level of the chapter's heading in the PDF's outline.
    pub level: usize,
    /// Whether the contents list its sections.
    pub lists_sections: bool,
}

/// Converts the `markdown` of the page at `place`.
///
/// # Errors
/// Markdown, HTML or mathematics that has no form in the PDF.
pub fn to_typst(markdown: &str, place: Place) -> Result<Page> {
    let mut writer = Writer::new(place);
    let events: Vec<Event> = Parser::new_ext(markdown, markdown_options()).collect();
    writer.footnotes(&events)?;
    let mut in_footnote = false;
    for event in events {
        match event {
            Event::Start(Tag::FootnoteDefinition(_)) => in_footnote = true,
            Event::End(TagEnd::FootnoteDefinition) => in_footnote = false,
            _ if in_footnote => {}
            event => writer.event(event)?,
        }
    }
    let body = writer.pop();
    Ok(Page { body, labels: writer.labels, links: writer.links })
}

struct Writer<'a> {
    place: Place<'a>,
    /// Markup of the open elements, innermost last; each closes into the one before it.
    open: Vec<String>,
    /// Text that is collected as it stands, inside a code block, an image's description or a block of HTML.
    verbatim: Option<String>,
    code_language: String,
    heading: Option<String>,
    heading_id: Option<String>,
    /// Number of hashes of the last heading; the page's title counts as one even where it is missing.
    rank: usize,
    image: String,
    /// For every open list: whether a paragraph occurred in it, which asks for space between its items.
    loose_lists: Vec<bool>,
    footnotes: HashMap<String, String>,
    cited: HashSet<String>,
    slugs: Slugs,
    labels: Vec<String>,
    links: Vec<String>,
}

impl<'a> Writer<'a> {
    fn new(place: Place<'a>) -> Self {
        Self {
            place,
            open: vec![String::new()],
            verbatim: None,
            code_language: String::new(),
            heading: None,
            heading_id: None,
            rank: 1,
            image: String::new(),
            loose_lists: Vec::new(),
            footnotes: HashMap::new(),
            cited: HashSet::new(),
            slugs: Slugs::default(),
            labels: Vec::new(),
            links: Vec::new(),
        }
    }

    fn put(&mut self, markup: &str) {
        if let Some(top) = self.open.last_mut() {
            top.push_str(markup);
        }
    }

    fn push(&mut self) {
        self.open.push(String::new());
    }

    fn pop(&mut self) -> String {
        self.open.pop().unwrap_or_default()
    }

    /// Converts the definitions of footnotes, which Typst wants where they are cited first.
    fn footnotes(&mut self, events: &[Event]) -> Result<()> {
        let mut name: Option<String> = None;
        for event in events {
            match event {
                Event::Start(Tag::FootnoteDefinition(defined)) => {
                    name = Some(defined.to_string());
                    self.push();
                }
                Event::End(TagEnd::FootnoteDefinition) => {
                    let note = self.pop();
                    let note = note.trim_end().trim_end_matches("#parbreak();").to_string();
                    self.footnotes.insert(name.take().unwrap_or_default(), note);
                }
                event if name.is_some() => self.event(event.clone())?,
                _ => {}
            }
        }
        Ok(())
    }

    fn event(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Start(tag) => self.start(tag)?,
            Event::End(tag) => self.end(tag)?,
            Event::Text(text) => self.text(&text),
            Event::Code(code) => {
                if let Some(heading) = &mut self.heading {
                    heading.push_str(&code);
                }
                self.put(&format!("#raw({});", quoted(&code)));
            }
            Event::InlineMath(latex) => self.put(&math::to_typst(&latex, Display::Inline)?),
            Event::DisplayMath(latex) => self.put(&math::to_typst(&latex, Display::Block)?),
            Event::Html(html) => match &mut self.verbatim {
                Some(collected) => collected.push_str(&html),
                None => self.put(&html::to_typst(&html)?),
            },
            Event::InlineHtml(html) => self.put(&html::to_typst(&html)?),
            Event::FootnoteReference(name) => self.footnote(&name)?,
            Event::SoftBreak => self.text(" "),
            Event::HardBreak => self.put("#linebreak();"),
            Event::Rule => self.put("#rule();\n"),
            Event::TaskListMarker(done) => self.put(if done { "#\"☑ \";" } else { "#\"☐ \";" }),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        if let Some(collected) = &mut self.verbatim {
            collected.push_str(text);
            return;
        }
        if let Some(heading) = &mut self.heading {
            heading.push_str(text);
        }
        self.put(&format!("#{};", quoted(text)));
    }

    fn footnote(&mut self, name: &str) -> Result<()> {
        let label = quoted(&format!("footnote:{}:{name}", self.place.page));
        if !self.cited.insert(name.to_string()) {
            self.put(&format!("#footnote(label({label}));"));
            return Ok(());
        }
        let note = self.footnotes.get(name).with_context(|| format!("footnote {name} is not defined"))?.clone();
        self.put(&format!("#footnote[{note}]#label({label});"));
        Ok(())
    }

    fn start(&mut self, tag: Tag) -> Result<()> {
        match tag {
            Tag::Paragraph => {
                if let Some(loose) = self.loose_lists.last_mut() {
                    *loose = true;
                }
            }
            Tag::Heading { id, .. } => {
                self.heading = Some(String::new());
                self.heading_id = id.map(|id| id.to_string());
                self.push();
            }
            Tag::BlockQuote(None) => self.put("#quote(block: true)["),
            Tag::BlockQuote(Some(kind)) => self.put(&format!("#admonition({})[", quoted(blocks::admonition(kind)))),
            Tag::CodeBlock(kind) => {
                self.code_language = blocks::language(&kind);
                self.verbatim = Some(String::new());
            }
            Tag::HtmlBlock => self.verbatim = Some(String::new()),
            Tag::List(_) => {
                self.loose_lists.push(false);
                self.push();
            }
            Tag::Item | Tag::TableCell => self.put("["),
            Tag::FootnoteDefinition(_) | Tag::TableRow => {}
            Tag::DefinitionList => self.put("#definitions["),
            Tag::DefinitionListTitle => {
                self.heading = Some(String::new());
                self.push();
            }
            Tag::DefinitionListDefinition => self.put("#definition["),
            Tag::Table(alignments) => self.put(&blocks::table(&alignments)),
            Tag::TableHead => self.put("table.header("),
            Tag::Emphasis => self.put("#emph["),
            Tag::Strong => self.put("#strong["),
            Tag::Strikethrough => self.put("#strike["),
            Tag::Superscript => self.put("#super["),
            Tag::Subscript => self.put("#sub["),
            Tag::Link { dest_url, .. } => self.link(&dest_url)?,
            Tag::Image { dest_url, .. } => {
                self.image = dest_url.to_string();
                self.verbatim = Some(String::new());
            }
            Tag::MetadataBlock(_) => bail!("a metadata block has no place in a page"),
        }
        Ok(())
    }

    fn end(&mut self, tag: TagEnd) -> Result<()> {
        match tag {
            TagEnd::Paragraph => self.put("#parbreak();\n"),
            TagEnd::Heading(level) => self.end_heading(level)?,
            TagEnd::CodeBlock => self.end_code(),
            TagEnd::HtmlBlock => {
                let html = self.verbatim.take().unwrap_or_default();
                self.put(&html::to_typst(&html)?);
                self.put("\n");
            }
            TagEnd::List(ordered) => {
                let items = self.pop();
                let tight = !self.loose_lists.pop().unwrap_or_default();
                let function = if ordered { "enum" } else { "list" };
                self.put(&format!("#{function}(tight: {tight}, {items});\n"));
            }
            TagEnd::Item | TagEnd::TableCell => self.put("], "),
            TagEnd::DefinitionListTitle => self.end_definition_title(),
            TagEnd::TableHead => self.put("),\n"),
            TagEnd::TableRow => self.put("\n"),
            TagEnd::Table => self.put(");\n"),
            TagEnd::Image => self.end_image()?,
            TagEnd::BlockQuote(_)
            | TagEnd::DefinitionList
            | TagEnd::DefinitionListDefinition
            | TagEnd::Emphasis
            | TagEnd::Strong
            | TagEnd::Strikethrough
            | TagEnd::Superscript
            | TagEnd::Subscript
            | TagEnd::Link => self.put("];"),
            TagEnd::FootnoteDefinition | TagEnd::MetadataBlock(_) => {}
        }
        Ok(())
    }

    /// The page's title is written with the chapter; here it leaves a place for links alone.
    fn end_heading(&mut self, level: HeadingLevel) -> Result<()> {
        let body = self.pop();
        let heading = self.heading.take().unwrap_or_default();
        if level as usize > self.rank + 1 {
            bail!("the heading `{heading}` skips a level: {level} after h{}", self.rank);
        }
        self.rank = level as usize;
        let id = self.heading_id.take().unwrap_or_else(|| self.slugs.unique(&heading));
        let label = self.label(&id);
        if level == HeadingLevel::H1 {
            self.put(&format!("#place-for-links({label});\n"));
            return Ok(());
        }
        let depth = self.place.level + level as usize - 1;
        let listed = self.place.lists_sections && level == HeadingLevel::H2;
        self.put(&format!("#section({depth}, {}, {listed}, {label})[{body}];\n", self.rank));
        Ok(())
    }

    fn end_definition_title(&mut self) {
        let body = self.pop();
        let term = self.heading.take().unwrap_or_default();
        let id = self.slugs.unique(&term);
        let label = self.label(&id);
        self.put(&format!("#term({label})[{body}];\n"));
    }

    fn label(&mut self, id: &str) -> String {
        let label = format!("{}#{id}", self.place.page);
        let literal = quoted(&label);
        self.labels.push(label);
        literal
    }

    fn end_code(&mut self) {
        let code = self.verbatim.take().unwrap_or_default();
        self.put(&blocks::listing(&code, &self.code_language));
    }

    fn end_image(&mut self) -> Result<()> {
        let caption = self.verbatim.take().unwrap_or_default();
        if caption.trim().is_empty() {
            bail!("the image {} has no description", self.image);
        }
        let path = match self.image.strip_prefix('/') {
            Some(from_root) => from_root.to_string(),
            None => format!("book/src/{}", blocks::from_pages(self.place.page, &self.image)),
        };
        self.put(&format!("#picture({}, {});\n", quoted(&format!("/{path}")), quoted(&caption)));
        Ok(())
    }

    fn link(&mut self, url: &str) -> Result<()> {
        if url == crate::PDF_NAME {
            // The web book offers the PDF; here it is in the reader's hands.
            self.put("#[");
            return Ok(());
        }
        if url.contains("://") || url.starts_with("mailto:") {
            self.put(&format!("#link({})[", quoted(url)));
            return Ok(());
        }
        let (file, id) = url.split_once('#').map_or((url, None), |(file, id)| (file, Some(id)));
        let file =
            if file.is_empty() { self.place.page.to_string() } else { blocks::from_pages(self.place.page, file) };
        let label = id.map_or(file.clone(), |id| format!("{file}#{id}"));
        self.put(&format!("#link(label({}))[", quoted(&label)));
        self.links.push(label);
        Ok(())
    }
}
