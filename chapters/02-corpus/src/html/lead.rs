//! The headline and the standfirst, where they stand outside of the content.
//!
//! Many pages set the headline in a header above the content, beside the name of the site, which may be a heading too.
//! `<title>` tells them apart: it contains the headline. What stands between headline and content and is prose, with a
//! mark of punctuation at its end, is the standfirst; dates and names of authors are not.

use ego_tree::NodeRef;
use scraper::node::{Element, Node};

use super::landmarks::collapsed_text;
use super::prose::Prose;

/// What stands above a content and belongs to it.
#[derive(Debug, Default)]
pub(super) struct Lead {
    headline: Option<String>,
    standfirst: Vec<String>,
}

/// Finds what belongs to `content` and stands before it; nothing if the content has a first heading of its own.
pub(super) fn lead(
    body: NodeRef<'_, Node>,
    content: NodeRef<'_, Node>,
    title: Option<&str>,
    prose: &Prose,
    drops: impl Fn(NodeRef<'_, Node>, &Element) -> bool,
) -> Lead {
    let mut lead = Lead::default();
    if content.descendants().any(|node| level(node) == Some(1)) {
        return lead;
    }
    let title = title.unwrap_or_default().to_lowercase();
    let is_dropped = |node: NodeRef<'_, Node>, until: Option<NodeRef<'_, Node>>| {
        let mut path = std::iter::once(node).chain(node.ancestors()).take_while(|node| Some(*node) != until);
        // The header of the whole page may hold the headline.
        path.any(|node| node.value().as_element().is_some_and(|it| it.name() != "header" && drops(node, it)))
    };
    let mut best_rank = 0;
    let mut headline: Option<NodeRef<'_, Node>> = None;
    // A heading that was never closed holds the whole content: it would be told twice.
    let around: Vec<_> = content.ancestors().collect();
    for node in body.descendants().take_while(|node| *node != content).filter(|node| !around.contains(node)) {
        if let Some(level) = level(node) {
            let text = collapsed_text(node);
            let is_titled = title.contains(&text.to_lowercase());
            let rank = if is_titled { 2 } else { usize::from(level == 1) };
            // A box that holds the headline is none of the boilerplate that its name says.
            if rank > 0 && rank >= best_rank && !text.is_empty() && (is_titled || !is_dropped(node, None)) {
                headline = Some(node);
                best_rank = rank;
                lead = Lead { headline: Some(text), standfirst: Vec::new() };
            }
        } else if let Some(headline) = headline
            && is_sentence_box(node, prose)
            && !is_dropped(node, common_ancestor(headline, node))
        {
            let text = collapsed_text(node);
            if text.ends_with(['.', '!', '?', '…', '”', '。', '！', '？', '؟', '।']) {
                lead.standfirst.push(text);
            }
        }
    }
    lead
}

/// Sets a lead above a text that does not contain it.
pub(super) fn with_lead(text: String, lead: &Lead) -> String {
    let mut parts = Vec::new();
    if let Some(headline) = &lead.headline
        && !text.lines().any(|line| line.trim_start_matches('#').trim() == headline)
    {
        parts.push(format!("# {headline}"));
    }
    parts.extend(lead.standfirst.iter().cloned());
    parts.push(text);
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}

fn level(node: NodeRef<'_, Node>) -> Option<usize> {
    match node.value().as_element()?.name() {
        "h1" => Some(1),
        "h2" | "h3" => Some(2),
        _ => None,
    }
}

fn common_ancestor<'a>(a: NodeRef<'a, Node>, b: NodeRef<'a, Node>) -> Option<NodeRef<'a, Node>> {
    b.ancestors().find(|node| a.ancestors().any(|other| other == *node))
}

/// An element with prose and without inner elements that hold it: a paragraph, whatever it is called.
fn is_sentence_box(node: NodeRef<'_, Node>, prose: &Prose) -> bool {
    node.value().is_element() && prose.has_sentences(node) && !node.children().any(|child| prose.has_sentences(child))
}
