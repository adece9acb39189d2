//! The paragraphs, headings, items and code blocks of a page, and how they are joined.

use super::phrases::{is_elsewhere, message_field};

/// One paragraph, heading, item, row or code block.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub text: String,
    pub heading: Option<u8>,
    /// Follows a block of the same sort on the next line, without an empty line between.
    pub is_tight: bool,
    pub is_term: bool,
    /// An item of a list of links that may be content.
    pub is_menu: bool,
    /// Begins with a link: an entry of a list of links with a word on each.
    pub is_entry: bool,
}

/// Joins blocks by an empty line, items of a list and rows of a table by a line end; headings without a section go.
pub(super) fn join(mut blocks: Vec<Block>) -> String {
    drop_kickers(&mut blocks);
    drop_message_head(&mut blocks);
    drop_menus(&mut blocks);
    drop_empty_headings(&mut blocks);
    let mut text = String::new();
    let mut was_tight = false;
    for block in &blocks {
        if text.is_empty() {
            // The first item that is left may be an inner one, with nothing above it.
            text.push_str(block.text.trim_start());
        } else {
            text.push_str(if was_tight && block.is_tight { "\n" } else { "\n\n" });
            text.push_str(&block.text);
        }
        was_tight = block.is_tight;
    }
    text
}

/// Removes short lines above the headline: a section's name, a brand, a path of pages.
fn drop_kickers(blocks: &mut Vec<Block>) {
    let Some(mut n_above) = blocks.iter().position(|block| block.heading == Some(1)) else { return };
    blocks.retain(|block| {
        let is_above = n_above > 0;
        n_above = n_above.saturating_sub(1);
        !is_above || block.text.len() >= MIN_PARAGRAPH_BYTES
    });
}

/// Removes the head of a message above its text, *From:* and the fields beside it: names, addresses and dates are no text.
fn drop_message_head(blocks: &mut Vec<Block>) {
    let fields_of = |block: &Block| match block.heading {
        None => block.text.lines().map(message_field).collect::<Option<Vec<&str>>>(),
        Some(_) => None,
    };
    let Some(start) = blocks.iter().position(|block| fields_of(block).is_some()) else { return };
    let head: Vec<Vec<&str>> = blocks[start..].iter().map_while(fields_of).collect();
    let is_above = !blocks[..start].iter().any(is_paragraph);
    let fields = head.concat();
    if is_above && fields.len() > 1 && fields.contains(&"from") {
        blocks.drain(start..start + head.len());
    }
}

fn is_paragraph(block: &Block) -> bool {
    block.heading.is_none() && !block.is_menu && !block.is_tight && block.text.len() >= MIN_PARAGRAPH_BYTES
}

/// Removes lists of links that are no part of the text, each with the heading above it. A list in the middle of a text,
/// which a heading or a colon introduces, is a part of it. On a page that is mainly links with a word on each, its place does
/// not matter, and on one that is mainly bare links all stay, but for those whose heading says that they lead elsewhere.
fn drop_menus(blocks: &mut Vec<Block>) {
    let n_bytes = |is_it: &dyn Fn(&Block) -> bool| -> usize {
        blocks.iter().filter(|block| is_it(block)).map(|block| block.text.len()).sum()
    };
    let n_menu_bytes = n_bytes(&|block| block.is_menu);
    let n_entry_bytes = n_bytes(&|block| block.is_entry && !block.is_menu);
    let n_text_bytes = n_bytes(&|block| block.heading.is_none() && !block.is_menu);
    let is_mainly_links = n_menu_bytes > n_text_bytes;
    let is_mainly_entries = n_menu_bytes + n_entry_bytes > n_text_bytes - n_entry_bytes;
    let first = blocks.iter().position(is_paragraph).unwrap_or(blocks.len());
    let last = blocks.iter().rposition(is_paragraph).unwrap_or_default();
    let mut is_introduced = false;
    let mut leads_elsewhere = false;
    let mut is_dropped: Vec<bool> = Vec::with_capacity(blocks.len());
    for (at, block) in blocks.iter().enumerate() {
        // A bare link after an entry goes on with its list.
        if !block.is_menu && !block.is_entry {
            is_introduced = block.heading.is_some() || block.text.ends_with([':', '：']);
            leads_elsewhere = is_elsewhere(&block.text);
        }
        let is_kept = is_mainly_links || is_introduced && (is_mainly_entries || first < at && at < last);
        is_dropped.push(block.is_menu && (leads_elsewhere || !is_kept));
    }
    let mut at = 0;
    blocks.retain(|block| {
        let introduces_menu = block.heading.is_some_and(|level| level > 1) && is_dropped.get(at + 1) == Some(&true);
        at += 1;
        !is_dropped[at - 1] && !introduces_menu
    });
}

const MIN_PARAGRAPH_BYTES: usize = 60;

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
