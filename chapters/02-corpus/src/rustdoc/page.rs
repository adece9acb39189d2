//! The main text of a page that rustdoc or mdBook generated.
//!
//! A page of a type is mostly machine-made: the auto traits and blanket implementations of every type, trait methods with
//! the first line of the trait's own documentation, methods that a type has through `Deref`. What somebody wrote about
//! this item stays: its declaration, its text and examples, its methods, and implementations with documentation of their
//! own. Declarations stand in backticks, examples in fences.

use ego_tree::NodeRef;
use scraper::Html;
use scraper::node::{Element, Node};

use crate::html::{Extracted, Landmarks, Links, extract, is_invisible, parse, render};

/// Extracts a page of documentation: a rustdoc item, a page of a book, or by [`extract`] what is neither.
#[must_use]
pub fn extract_page(html: &str) -> Extracted {
    if html.contains("<meta name=\"generator\" content=\"rustdoc\">") {
        return extract_rustdoc(html);
    }
    if html.contains("id=\"mdbook-content\"") || html.contains("<!-- Book generated using mdBook -->") {
        return extract_book(html);
    }
    extract(html)
}

/// Extracts a page of an API item.
// ANCHOR: extract_rustdoc
#[must_use]
pub fn extract_rustdoc(html: &str) -> Extracted {
    // What rustdoc derives for every type comes last, often most of the page; cutting it here saves parsing it.
    let derived = ["<h2 id=\"synthetic-implementations\"", "<h2 id=\"blanket-implementations\""];
    let end = derived.iter().filter_map(|heading| html.find(heading)).min().unwrap_or(html.len());
    let page = parse(&html[..end]);
    let main = find(page.tree.root(), |element| element.id() == Some("main-content"));
    let text = main.map_or_else(String::new, |main| render(main, Links::Keep, drops_from_item));
    described(&page, text)
}
// ANCHOR_END: extract_rustdoc

/// Extracts a page of a book that mdBook generated: its `<main>`.
fn extract_book(html: &str) -> Extracted {
    let page = parse(html);
    let main = find(page.tree.root(), |element| element.name() == "main");
    let text = main.map_or_else(String::new, |main| render(main, Links::Keep, drops_from_book));
    described(&page, text)
}

/// The first element below `root`, in page order, for which `is_it` is true.
pub(super) fn find<'a>(root: NodeRef<'a, Node>, is_it: impl Fn(&Element) -> bool) -> Option<NodeRef<'a, Node>> {
    root.descendants().find(|node| node.value().as_element().is_some_and(&is_it))
}

/// A text with what its page says about itself.
fn described(page: &Html, text: String) -> Extracted {
    let Landmarks { title, lang, licence, robots, .. } = Landmarks::find(page);
    Extracted { title, lang, licence, robots, text }
}

/// In mdBook pages `boring` marks the lines of an example that the reader does not see.
pub(super) fn drops_from_book(_node: NodeRef<'_, Node>, element: &Element) -> bool {
    is_invisible(element) || element.name() == "nav" || has_class(element, &["boring", "buttons"])
}

const ITEM_CLUTTER: [&str; 16] = [
    "anchor",
    "copy-path",
    "doc-anchor",
    "hideme",
    "item-info",
    "notable-traits",
    "out-of-band",
    "rightside",
    "rustdoc-breadcrumbs",
    "scraped-example-list",
    "since",
    "src",
    "stab",
    "sub-heading",
    "test-arrow",
    "tooltip",
];

fn drops_from_item(node: NodeRef<'_, Node>, element: &Element) -> bool {
    if is_invisible(element) || matches!(element.name(), "nav" | "rustdoc-toolbar" | "rustdoc-search") {
        return true;
    }
    if has_class(element, &ITEM_CLUTTER) {
        return true;
    }
    let is_list_of_others = element.id().is_some_and(|id| {
        id.starts_with("deref-methods")
            || matches!(id, "implementors-list" | "synthetic-implementors-list" | "foreign-impls")
    });
    if is_list_of_others {
        return true;
    }
    match element.name() {
        "details" if has_class(element, &["implementors-toggle"]) => is_trait_impl(node) && !has_own_docs(node),
        "details" if has_class(element, &["method-toggle"]) => is_inherited(node),
        "section" if has_class(element, &["trait-impl"]) => !is_child_of(node, "summary"),
        "section" if has_class(element, &["impl"]) => !is_child_of(node, "summary") && is_trait_impl(node),
        _ => false,
    }
}

fn has_class(element: &Element, names: &[&str]) -> bool {
    element.classes().any(|class| names.contains(&class))
}

fn is_child_of(node: NodeRef<'_, Node>, name: &str) -> bool {
    node.parent().and_then(|parent| parent.value().as_element()).is_some_and(|parent| parent.name() == name)
}

fn is_trait_impl(node: NodeRef<'_, Node>) -> bool {
    let parent = node.parent().and_then(|parent| parent.value().as_element());
    parent.is_some_and(|parent| parent.id() == Some("trait-implementations-list"))
}

/// Whether some documentation below `node` was written for it: rustdoc copies only the first line of a trait's text,
/// and sets it without a paragraph.
fn has_own_docs(node: NodeRef<'_, Node>) -> bool {
    node.descendants().any(|inner| {
        let is_docblock = inner.value().as_element().is_some_and(|element| has_class(element, &["docblock"]));
        is_docblock && inner.children().any(|child| child.value().as_element().is_some_and(|e| e.name() == "p"))
    })
}

/// A method of a trait implementation with the trait's own text.
fn is_inherited(details: NodeRef<'_, Node>) -> bool {
    let is_trait_method =
        |node: NodeRef<'_, Node>| node.value().as_element().is_some_and(|element| has_class(element, &["trait-impl"]));
    details.descendants().any(is_trait_method) && !has_own_docs(details)
}
