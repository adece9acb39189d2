//! Turns a part of a parsed page into readable text: headings, paragraphs, lists, tables and code.
//!
//! The form is Markdown's plain core: `# ` before headings, `- ` or `1. ` before list items, ` | ` between the cells of
//! a row, backticks around code in a line, and code blocks verbatim between fences. White space between words is one
//! space. The walk is a loop over the tree's open and close events, so the depth of a page costs no stack.
//!
//! The caller says which elements are dropped, and whether blocks go that are mostly links.

use ego_tree::NodeRef;
use ego_tree::iter::Edge;
use scraper::node::{Element, Node};

use super::blocks::{Block, join};
use super::density::{Counts, Links, SEVERAL_LINKS};
use super::phrases::{
    Phrase, is_notice_line, is_signature, is_signature_mark, is_step_line, phrase, without_signature,
};
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

    /// Takes back the line after a break if it is a row of links or a notice: old pages break lines where others have boxes.
    fn end_tail(&mut self) -> bool {
        let is_judged = self.links == Links::DropDense && self.marker.is_none();
        let is_furniture = is_judged
            && (self.counts.is_bar_since(self.tail_counts) || is_notice_line(self.line[self.tail_start..].trim()));
        if is_furniture {
            self.line.truncate(self.tail_start);
            self.counts = self.tail_counts;
        }
        self.tail_counts = self.counts;
        is_furniture
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

    /// Takes back what a container wrote if it is a menu or a call.
    fn judge(&mut self, container: &Container, role: Role) {
        // Items are judged with their list: one item may well be a link.
        if self.links == Links::Keep || matches!(role, Role::Item | Role::Term | Role::Definition) {
            return;
        }
        let is_call = self.counts.is_call_since(container.counts) && !self.containers.is_empty();
        if !is_call && !self.counts.is_link_dense_since(container.counts) {
            return;
        }
        if is_call && self.blocks.len() == container.n_blocks {
            // A paragraph that is nothing but the call: the box around it is meant.
            return;
        }
        if matches!(role, Role::List { .. }) && self.counts.has_titles_since(container.counts) {
            // Links whose texts are titles: what stands around the list decides in the end.
            self.blocks[container.n_blocks..].iter_mut().for_each(|block| block.is_menu = true);
        } else {
            let is_menu = self.counts.n_links - container.counts.n_links >= SEVERAL_LINKS;
            self.blocks.truncate(container.n_blocks);
            // A menu goes with the heading that introduced it.
            if is_menu && self.blocks.last().is_some_and(|block| block.heading.is_some_and(|level| level > 1)) {
                self.blocks.pop();
            }
        }
        self.count_from(container.counts);
    }

    /// Starts a block at these counts: what was counted since is forgotten.
    fn count_from(&mut self, counts: Counts) {
        (self.counts, self.line_counts, self.tail_counts) = (counts, counts, counts);
        self.tail_start = 0;
    }

    fn flush(&mut self) {
        self.flush_as(None);
    }

    /// Ends the block that is being written.
    fn flush_as(&mut self, heading: Option<u8>) {
        self.has_pending_space = false;
        if self.tail_start > 0 {
            self.end_tail();
        }
        let is_entry = std::mem::take(&mut self.starts_with_link) && heading.is_none();
        let line = std::mem::take(&mut self.line);
        let before = self.line_counts;
        self.count_from(self.counts);
        let text = line.trim();
        if text.is_empty() || text.chars().all(|c| matches!(c, '`' | '|' | ' ')) {
            return;
        }
        let is_after_mark = std::mem::replace(&mut self.is_after_signature_mark, is_signature_mark(text));
        if self.links == Links::DropDense && heading.is_none() {
            let is_step = is_step_line(text) && self.counts.is_half_links_since(before);
            if is_step || is_after_mark && self.marker.is_none() && is_signature(text) {
                return;
            }
        }
        if self.links == Links::DropDense && !self.is_row && self.marker.is_none() && heading != Some(1) {
            match phrase(text) {
                Some(Phrase::Furniture) => return,
                Some(Phrase::Call) => {
                    self.counts.n_calls += 1;
                    return;
                }
                None => {}
            }
        }
        let is_prose = heading.is_none() && self.marker.is_none() && self.lists.is_empty() && !self.joins_term;
        if is_prose && self.links == Links::DropDense && self.counts.is_link_dense_since(before) {
            if self.counts.is_titles_since(before, text.lines().count()) {
                // What stands around it decides in the end, as with lists.
                self.blocks.push(Block { text: text.to_owned(), is_menu: true, ..Block::default() });
            }
            self.count_from(before);
            return;
        }
        let text = if is_prose && self.links == Links::DropDense { without_signature(text) } else { text };
        if text.is_empty() {
            return;
        }
        if std::mem::take(&mut self.joins_term)
            && let Some(term) = self.blocks.last_mut().filter(|block| block.is_term)
        {
            term.text.push_str(": ");
            term.text.push_str(text);
            term.is_term = false;
            return;
        }
        let is_tight = self.marker.is_some() || self.is_row;
        let prefix = match heading {
            Some(level) => format!("{} ", "#".repeat(usize::from(level))),
            None => self.marker.take().unwrap_or_default(),
        };
        self.blocks.push(Block {
            text: prefix + text,
            heading,
            is_tight,
            is_term: self.is_term,
            is_menu: false,
            is_entry,
        });
    }

    fn push_code(&mut self, code: Option<String>) {
        let Some(text) = code else { return };
        self.counts.n_chars += text.len();
        self.count_from(self.counts);
        self.blocks.push(Block { text, ..Block::default() });
    }

    fn finish(mut self) -> String {
        self.flush();
        join(self.blocks)
    }
}

const MAX_INDENT: usize = 8;
