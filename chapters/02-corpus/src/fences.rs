//! Which lines of a text are code.
//!
//! Code has no language and no sentences, so what judges prose leaves it out ([`prose`]); there a fence is what extraction
//! writes, three or more backticks. What cuts texts must not cut code: half a block is no code, and its end alone would
//! turn all text behind it into code. There a fence is whatever a reader of Markdown takes for one ([`fence`], CommonMark
//! section 4.5).

use std::ops::Range;

/// The lines of `text`, each with whether it is prose; a fence is none.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (&str, bool)> {
    // The length of the fence that opened a block: a shorter one is code inside it.
    let mut open_fence = None;
    text.lines().map(move |line| {
        let line_start = line.trim_start();
        let fence = line_start.len() - line_start.trim_start_matches('`').len();
        match open_fence {
            None if fence >= 3 => open_fence = Some(fence),
            None => return (line, true),
            Some(opening) if fence >= opening => open_fence = None,
            Some(_) => {}
        }
        (line, false)
    })
}

/// The lines of `text` outside fenced code blocks.
pub(crate) fn prose(text: &str) -> String {
    let mut prose = String::with_capacity(text.len());
    for (line, _) in lines(text).filter(|(_, is_prose)| *is_prose) {
        prose.push_str(line);
        prose.push('\n');
    }
    prose
}

// ANCHOR: fence
/// The byte ranges of a text's blocks of code, from fence to fence without the last line's end. A fence that nobody closes
/// runs to the end of the text.
pub(crate) fn blocks(text: &str) -> Vec<Range<usize>> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, Fence)> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        match &open {
            None => open = fence(line).map(|fence| (at, fence)),
            Some((start, opened)) => {
                if fence(line).is_some_and(|fence| fence.closes(opened)) {
                    blocks.push(*start..at + line.trim_end().len());
                    open = None;
                }
            }
        }
        at += line.len();
    }
    blocks.extend(open.map(|(start, _)| start..text.trim_end().len()));
    blocks
}

/// A line that opens or closes a block of code.
pub(crate) struct Fence {
    mark: char,
    n_marks: usize,
    /// Text behind the marks, such as a language's name; a closing fence has none.
    is_labelled: bool,
}

impl Fence {
    /// Whether this line ends the block that `opened` began.
    pub fn closes(&self, opened: &Fence) -> bool {
        self.mark == opened.mark && self.n_marks >= opened.n_marks && !self.is_labelled
    }
}

/// The fence on this line: three marks or more, indented by three spaces at most.
pub(crate) fn fence(line: &str) -> Option<Fence> {
    let content = line.trim_start_matches(' ');
    let mark = content.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
    let label = content.trim_start_matches(mark);
    let n_marks = content.len() - label.len();
    // Backticks in the label make it a line of inline code.
    let is_fence = line.len() - content.len() <= 3 && n_marks >= 3 && !(mark == '`' && label.contains('`'));
    is_fence.then(|| Fence { mark, n_marks, is_labelled: !label.trim().is_empty() })
}
// ANCHOR_END: fence

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_is_closed_by_one_at_least_as_long() {
        let text = "Before.\n````markdown\n```\ncode\n```\nstill code\n````\nBetween.\n```\ncode\n`````\nAfter.";
        assert_eq!(prose(text), "Before.\nBetween.\nAfter.\n");
    }
}
