//! Turns a part of a parsed page into readable text: headings, paragraphs, lists, tables and code.
//!
//! The form is Markdown's plain core: `# ` before headings, `- ` or `1. ` before list items, ` | ` between the cells of
//! a row, backticks around code in a line, and code blocks verbatim between fences. White space between words is one
//! space. The walk is a loop over the tree's open and close events, so the depth of a page costs no stack.
//!
//! The caller says which elements are dropped, and whether blocks go that are mostly links (`ended`).

mod ended;

use ego_tree::NodeRef;
use ego_tree::iter::Edge;
use scraper::node::{Element, Node};

use super::blocks::Block;
use super::density::{Counts, Links};
use super::role::{Role, role_in};
use super::verbatim::Verbatim;

/// Writes the text below `root` without the elements for which `drops` is true.
// ANCHOR: render
pub(crate) fn render(
    root: NodeRef<'_, Node>,
    links: Links,
    drops: impl Fn(NodeRef<'_, Node>, &Element) -> bool,
) -> String {
    let mut writer = Writer { links, ..Writer::default() };
    let mut dropped = None;
    for edge in root.traverse() {
        match edge {
            Edge::Open(node) if dropped.is_none() => match node.value() {
                Node::Text(text) => writer.text(text),
                Node::Element(element) if drops(node, element) => dropped = Some(node.id()),
                Node::Element(element) => writer.open(role_in(node, element)),
                _ => {}
            },
            Edge::Close(node) if dropped == Some(node.id()) => dropped = None,
            Edge::Close(node) if dropped.is_none() => {
                if let Node::Element(element) = node.value() {
                    writer.close(role_in(node, element));
                }
            }
            _ => {}
        }
    }
    writer.finish()
}
// ANCHOR_END: render

/// Where an open container began.
struct Container {
    n_blocks: usize,
    counts: Counts,
}

#[derive(Default)]
struct Writer {
    links: Links,
    blocks: Vec<Block>,
    counts: Counts,
    containers: Vec<Container>,
    /// The block that is being written, and the counts at its start.
    line: String,
    line_counts: Counts,
    /// What follows the last break in the block.
    tail_start: usize,
    tail_counts: Counts,
    starts_with_link: bool,
    is_after_signature_mark: bool,
    has_pending_space: bool,
    /// Open lists: the number of the next item where they are ordered.
    lists: Vec<Option<usize>>,
    /// What the next block begins with.
    marker: Option<String>,
    is_row: bool,
    is_term: bool,
    joins_term: bool,
    /// Inside a heading or a signature, where inner blocks do not break the line.
    n_unbroken: usize,
    n_open_links: usize,
    verbatim: Verbatim,
}

impl Writer {
    fn text(&mut self, text: &str) {
        if self.verbatim.is_open() {
            self.verbatim.push(text);
            return;
        }
        for c in text.chars() {
            if c.is_whitespace() {
                self.has_pending_space = true;
            } else if !matches!(c, '\u{ad}' | '\u{200b}' | '\u{feff}') {
                self.push_space();
                if self.line.is_empty() {
                    self.starts_with_link = self.n_open_links > 0;
                }
                self.line.push(c);
                self.counts.n_chars += 1;
                // A heading that is a link is a heading.
                if self.n_open_links > 0 && self.n_unbroken == 0 {
                    self.counts.n_link_chars += 1;
                }
            }
        }
    }

    fn push_space(&mut self) {
        if self.has_pending_space && !self.line.is_empty() && !self.line.ends_with('\n') {
            self.line.push(' ');
        }
        self.has_pending_space = false;
    }

    fn open(&mut self, role: Role) {
        if self.verbatim.is_open() {
            self.verbatim.open(role);
            return;
        }
        match role {
            Role::Inline => {}
            Role::Link => {
                self.n_open_links += 1;
                self.counts.n_links += 1;
            }
            Role::Code if self.n_unbroken == 0 => {
                self.push_space();
                self.line.push('`');
            }
            Role::Code => {}
            Role::Break => {
                self.has_pending_space = false;
                if !self.line.is_empty() && self.n_unbroken == 0 && !self.is_row {
                    let was_dropped = self.end_tail();
                    if !was_dropped && !self.line.ends_with("\n\n") {
                        self.line.push('\n');
                    }
                    self.tail_start = self.line.len();
                } else {
                    self.has_pending_space = true;
                }
            }
            Role::Cell => {
                if self.is_row && !self.line.is_empty() {
                    self.line.push_str(" |");
                    self.has_pending_space = true;
                }
            }
            _ if self.n_unbroken > 0 => self.open_unbroken(role),
            _ => self.open_block(role),
        }
    }

    /// A block inside a heading is a word boundary, but headings inside headings must balance.
    fn open_unbroken(&mut self, role: Role) {
        self.has_pending_space = true;
        if matches!(role, Role::Heading(_) | Role::Signature) {
            self.n_unbroken += 1;
        }
    }

    fn open_block(&mut self, role: Role) {
        self.flush();
        self.containers.push(Container { n_blocks: self.blocks.len(), counts: self.counts });
        match role {
            Role::Heading(_) => self.n_unbroken += 1,
            Role::Signature => {
                self.n_unbroken += 1;
                self.line.push('`');
            }
            Role::List { is_ordered } => self.lists.push(is_ordered.then_some(1)),
            Role::Item => self.marker = Some(self.item_marker()),
            Role::Term => {
                self.marker = Some("- ".to_owned());
                self.is_term = true;
            }
            Role::Definition => self.joins_term = true,
            Role::Row => self.is_row = true,
            Role::Pre => self.verbatim.open(role),
            _ => {}
        }
    }

    fn item_marker(&mut self) -> String {
        let indent = "  ".repeat(self.lists.len().saturating_sub(1).min(MAX_INDENT));
        match self.lists.last_mut() {
            Some(Some(number)) => {
                *number += 1;
                format!("{indent}{}. ", *number - 1)
            }
            _ => format!("{indent}- "),
        }
    }

    fn close(&mut self, role: Role) {
        if self.verbatim.is_open() {
            let code = self.verbatim.close(role);
            if !self.verbatim.is_open() {
                self.push_code(code);
                self.containers.pop();
            }
            return;
        }
        match role {
            Role::Link => self.n_open_links = self.n_open_links.saturating_sub(1),
            Role::Code if self.n_unbroken == 0 => self.close_code(),
            Role::Inline | Role::Code | Role::Break | Role::Cell => {}
            _ if self.n_unbroken > 1 || self.n_unbroken == 1 && !role.is_heading() => {
                self.has_pending_space = true;
                self.n_unbroken -= usize::from(role.is_heading());
            }
            _ => self.close_block(role),
        }
    }

    /// The closing backtick stands before a space that is still pending; an empty pair disappears.
    fn close_code(&mut self) {
        if self.line.ends_with('`') && self.line.len() - self.line.trim_end_matches('`').len() == 1 {
            self.line.pop();
        } else if !self.line.is_empty() {
            self.line.push('`');
        }
    }

    fn close_block(&mut self, role: Role) {
        match role {
            Role::Heading(level) => self.flush_as(Some(level)),
            Role::Signature => {
                self.line.push('`');
                self.flush();
            }
            _ => self.flush(),
        }
        match role {
            Role::Heading(_) | Role::Signature => self.n_unbroken = 0,
            Role::List { .. } => drop(self.lists.pop()),
            Role::Item => self.marker = None,
            Role::Term => (self.marker, self.is_term) = (None, false),
            Role::Definition => self.joins_term = false,
            Role::Row => self.is_row = false,
            _ => {}
        }
        if let Some(container) = self.containers.pop() {
            self.judge(&container, role);
        }
    }
}

const MAX_INDENT: usize = 8;
