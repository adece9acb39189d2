//! What becomes of a line, a block or a container when it ends: it stays, or it is taken back.
//!
//! Three judges see the same text at three sizes. A line after a break may be a row of links or a notice; a block may be a label, a
//! signature or mostly links; a container may be a menu or a box that calls for something. What is taken back is not counted either,
//! so that the container around it is judged by what is left.

use super::super::blocks::{Block, join};
use super::super::density::{Counts, Links, SEVERAL_LINKS};
use super::super::phrases::{
    Phrase, is_notice_line, is_signature, is_signature_mark, is_step_line, phrase, without_signature,
};
use super::super::role::Role;
use super::{Container, Writer};

impl Writer {
    /// Takes back the line after a break if it is a row of links or a notice: old pages break lines where others have boxes.
    pub(super) fn end_tail(&mut self) -> bool {
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

    /// Takes back what a container wrote if it is a menu or a call.
    pub(super) fn judge(&mut self, container: &Container, role: Role) {
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

    pub(super) fn flush(&mut self) {
        self.flush_as(None);
    }

    /// Ends the block that is being written.
    pub(super) fn flush_as(&mut self, heading: Option<u8>) {
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

    pub(super) fn push_code(&mut self, code: Option<String>) {
        let Some(text) = code else { return };
        self.counts.n_chars += text.len();
        self.count_from(self.counts);
        self.blocks.push(Block { text, ..Block::default() });
    }

    pub(super) fn finish(mut self) -> String {
        self.flush();
        join(self.blocks)
    }
}
