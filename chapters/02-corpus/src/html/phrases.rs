//! Short lines that are furniture wherever they stand: labels of buttons, notices of rights, marks of an
//! advertisement, counts of readers.
//!
//! The list is English, short and ours. Only a whole block counts, never a part of a sentence.

/// What a line's wording says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phrase {
    /// The line itself is no content.
    Furniture,
    /// It calls to something: the small box around it is no content either.
    Call,
}

/// Recognises a line that is furniture by its wording.
pub(super) fn phrase(line: &str) -> Option<Phrase> {
    if line.len() > MAX_LINE_BYTES {
        return None;
    }
    if !line.contains(char::is_alphabetic) {
        return (line.len() <= MAX_COUNT_BYTES).then_some(Phrase::Furniture);
    }
    let line = line.trim_matches(|c: char| !c.is_alphanumeric() && c != '©').to_lowercase();
    if CALLS.contains(&line.as_str()) {
        return Some(Phrase::Call);
    }
    if let [count, what] = *line.split(' ').collect::<Vec<_>>()
        && count.starts_with(|c: char| c.is_ascii_digit())
        && COUNTED.contains(&what)
    {
        return Some(Phrase::Furniture);
    }
    (is_notice(&line) || LABELS.contains(&line.as_str())).then_some(Phrase::Furniture)
}

/// Whether a line begins like a label of a link to a neighbour: *Previous message: ...*
pub(super) fn is_step_line(line: &str) -> bool {
    let word = line.split(|c: char| !c.is_alphanumeric()).find(|word| !word.is_empty()).unwrap_or_default();
    STEPS.iter().any(|step| word.eq_ignore_ascii_case(step))
}

/// Whether a heading stands above links to the rest of the site: *Related posts*, *Most read*.
pub(super) fn is_elsewhere(heading: &str) -> bool {
    let heading = heading.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    heading.len() <= MAX_LABEL_BYTES && ELSEWHERE.iter().any(|start| heading.starts_with(start))
}

/// Whether a line states rights, or the page's own age and readers. Those stand on lines of their own even where no box
/// encloses them.
pub(super) fn is_notice_line(line: &str) -> bool {
    line.len() <= MAX_LINE_BYTES && is_notice(&line.to_lowercase())
}

fn is_notice(lowercase_line: &str) -> bool {
    lowercase_line.ends_with("all rights reserved") || NOTICES.iter().any(|start| lowercase_line.starts_with(start))
}

/// A paragraph without the signature of the message that it ends: a line of two hyphens and at most four more (RFC 3676,
/// section 4.3).
pub(super) fn without_signature(paragraph: &str) -> &str {
    let mut end = paragraph.len();
    for line in paragraph.rsplit('\n').take(MAX_SIGNATURE_LINES + 1) {
        end -= line.len();
        if is_signature_mark(line) {
            return paragraph[..end].trim_end();
        }
        end = end.saturating_sub(1);
    }
    paragraph
}

/// Longer lines are sentences.
const MAX_LINE_BYTES: usize = 120;
/// Without a letter, a short line is a count or an ornament; a long one may be data.
const MAX_COUNT_BYTES: usize = 16;

/// A line of two hyphens, above a signature.
pub(super) fn is_signature_mark(line: &str) -> bool {
    line.trim() == "--"
}

/// Whether a paragraph is short enough for what follows such a line.
pub(super) fn is_signature(paragraph: &str) -> bool {
    paragraph.lines().count() <= MAX_SIGNATURE_LINES && paragraph.len() <= MAX_SIGNATURE_LINES * MAX_LINE_BYTES
}

const MAX_SIGNATURE_LINES: usize = 4;

const CALLS: [&str; 6] = ["ad", "advertisement", "sign up", "sign up now", "subscribe", "subscribe now"];

/// What sites count: *412 views*.
const COUNTED: [&str; 12] = [
    "answers",
    "comments",
    "followers",
    "likes",
    "photos",
    "points",
    "reactions",
    "replies",
    "reviews",
    "shares",
    "views",
    "votes",
];

/// A longer heading is one of a section.
const MAX_LABEL_BYTES: usize = 40;

/// How headings begin above links to the rest of the site.
const ELSEWHERE: [&str; 22] = [
    "also on ",
    "elsewhere on ",
    "from the archive",
    "latest from ",
    "latest posts",
    "more from ",
    "more posts",
    "most popular",
    "most read",
    "popular articles",
    "popular posts",
    "popular this ",
    "read next",
    "recent articles",
    "recent posts",
    "recommended for you",
    "related articles",
    "related posts",
    "related stories",
    "trending",
    "you may also like",
    "you might also like",
];

const STEPS: [&str; 5] = ["newer", "next", "older", "prev", "previous"];

/// How notices begin.
const NOTICES: [&str; 9] = [
    "©",
    "best viewed ",
    "copyright ",
    "last modified",
    "last revised",
    "last updated",
    "page last ",
    "this page was last ",
    "you are visitor",
];

const LABELS: [&str; 14] = [
    "back to top",
    "click to share",
    "comments",
    "continue reading",
    "edit",
    "leave a comment",
    "like",
    "log in",
    "print",
    "read more",
    "reply",
    "share",
    "share this",
    "tweet",
];
