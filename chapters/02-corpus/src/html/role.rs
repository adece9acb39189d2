//! What each HTML element means for the text around it: a paragraph, a list item, code, or nothing.

use ego_tree::NodeRef;
use scraper::node::{Element, Node};

/// The role of an element in its page: a heading that was never closed, and holds what should follow it, is a box.
pub(super) fn role_in(node: NodeRef<'_, Node>, element: &Element) -> Role {
    match role(element) {
        Role::Heading(_) if node.children().any(is_body_text) => Role::Block,
        role => role,
    }
}

/// What cannot stand inside a heading.
fn is_body_text(node: NodeRef<'_, Node>) -> bool {
    let name = node.value().as_element().map(Element::name);
    matches!(name, Some("blockquote" | "dl" | "ol" | "p" | "pre" | "table" | "ul"))
}

/// What an element means for the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Inline,
    Block,
    Heading(u8),
    /// A function's or type's declaration that rustdoc sets as a heading.
    Signature,
    List {
        is_ordered: bool,
    },
    Item,
    Term,
    Definition,
    Row,
    Cell,
    Code,
    Pre,
    Link,
    Break,
}

/// The role of an element, from its name alone.
pub(super) fn role(element: &Element) -> Role {
    match element.name() {
        "h1" | "h2" | "h3" | "h4" | "h5" | "h6" if element.classes().any(|class| class == "code-header") => {
            Role::Signature
        }
        "h1" => Role::Heading(1),
        "h2" => Role::Heading(2),
        "h3" => Role::Heading(3),
        "h4" => Role::Heading(4),
        "h5" => Role::Heading(5),
        "h6" => Role::Heading(6),
        "ul" => Role::List { is_ordered: false },
        "ol" => Role::List { is_ordered: true },
        "li" => Role::Item,
        "dt" => Role::Term,
        "dd" => Role::Definition,
        "tr" => Role::Row,
        "td" | "th" => Role::Cell,
        "code" | "kbd" | "samp" => Role::Code,
        "pre" | "listing" | "xmp" => Role::Pre,
        "a" => Role::Link,
        "br" => Role::Break,
        "address" | "article" | "blockquote" | "body" | "caption" | "center" | "details" | "div" | "dl"
        | "fieldset" | "figcaption" | "figure" | "footer" | "form" | "header" | "hgroup" | "hr" | "html" | "main"
        | "nav" | "p" | "search" | "section" | "summary" | "table" | "tbody" | "tfoot" | "thead" | "aside" => {
            Role::Block
        }
        _ => Role::Inline,
    }
}

impl Role {
    pub fn is_heading(self) -> bool {
        matches!(self, Role::Heading(_) | Role::Signature)
    }
}
