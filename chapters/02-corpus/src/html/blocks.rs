//! The paragraphs, headings, items and code blocks of a page, and how they are joined.

/// One paragraph, heading, item, row or code block.
pub(super) struct Block {
    pub text: String,
    pub heading: Option<u8>,
    /// Follows a block of the same sort on the next line, without an empty line between.
    pub is_tight: bool,
    pub is_term: bool,
}

/// Joins blocks by an empty line, items of a list and rows of a table by a line end; headings without a section go.
pub(super) fn join(mut blocks: Vec<Block>) -> String {
    drop_empty_headings(&mut blocks);
    let mut text = String::new();
    let mut was_tight = false;
    for block in &blocks {
        if !text.is_empty() {
            text.push_str(if was_tight && block.is_tight { "\n" } else { "\n\n" });
        }
        text.push_str(&block.text);
        was_tight = block.is_tight;
    }
    text
}

/// Removes headings (below the title) whose section was dropped: the next block is no deeper heading and no text.
fn drop_empty_headings(blocks: &mut Vec<Block>) {
    let mut is_kept = vec![true; blocks.len()];
    // The level of the heading that comes next; 0 at the end, and deeper than any heading where text comes next.
    let mut next_level = 0;
    for (block, is_kept) in blocks.iter().zip(&mut is_kept).rev() {
        match block.heading {
            Some(level) if level > 1 && next_level <= level => *is_kept = false,
            Some(level) => next_level = level,
            None => next_level = u8::MAX,
        }
    }
    let mut is_kept = is_kept.into_iter();
    blocks.retain(|_| is_kept.next().unwrap_or(true));
}
