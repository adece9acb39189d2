//! Where a page's text is: how much prose every element holds, and which element holds the content.
//!
//! Prose is what stands in paragraphs, items and cells and is not mostly links. Outside of them a run of text counts only
//! if it is long: a label of a button is short. The content is the innermost element that holds nearly all prose, so that
//! whatever stands beside it goes, named or not. Counting text by element and climbing to the densest one is the idea of
//! Readability (Arc90, 2009); the measure of a block by its length and its links is Kohlschütter et al. (WSDM 2010).

use std::collections::{HashMap, HashSet};

use ego_tree::iter::Edge;
use ego_tree::{NodeId, NodeRef};
use scraper::node::{Element, Node};

use super::role::{Role, role, role_in};

/// A child with this share of the prose is where the search goes on.
const NEARLY_ALL: f64 = 0.85;
/// Shorter runs of text outside of paragraphs, items and cells are labels.
const MIN_RUN_BYTES: usize = 40;
/// A shorter paragraph is a label as well.
const MIN_PARAGRAPH_BYTES: usize = 20;
/// Shorter links are names of places: *Contact*.
const MIN_TITLE_BYTES: usize = 16;
/// A page with a larger share of links in its prose and titles is one of links.
const MIN_LINK_SHARE: f64 = 1.0 / 3.0;

/// Bytes of prose below each element.
#[derive(Debug, Default)]
pub(super) struct Prose {
    n_bytes: HashMap<NodeId, Bytes>,
    /// Whether much of all this is links. Then titles count as prose: there is little else to go by.
    is_of_links: bool,
}

/// What stands in paragraphs, items and cells.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Bytes {
    n_prose: usize,
    /// Links that are long enough for titles.
    n_titles: usize,
    /// Links in both.
    n_links: usize,
}

impl std::ops::AddAssign for Bytes {
    fn add_assign(&mut self, other: Bytes) {
        self.n_prose += other.n_prose;
        self.n_titles += other.n_titles;
        self.n_links += other.n_links;
    }
}

impl Prose {
    /// Counts below `root`, elements left out for which `skips` is true.
    // ANCHOR: measure
    pub fn measure(root: NodeRef<'_, Node>, skips: impl Fn(NodeRef<'_, Node>, &Element) -> bool) -> Prose {
        let mut prose = Prose::default();
        let mut run = Run::default();
        let mut total = Bytes::default();
        let mut starts = Vec::new();
        let mut skipped = None;
        for edge in root.traverse() {
            match edge {
                Edge::Open(node) if skipped.is_none() => match node.value() {
                    Node::Text(text) => run.add(text),
                    Node::Element(element) if skips(node, element) => skipped = Some(node.id()),
                    Node::Element(element) => {
                        total += run.open(role_in(node, element));
                        starts.push(total);
                    }
                    _ => {}
                },
                Edge::Close(node) if skipped == Some(node.id()) => skipped = None,
                Edge::Close(node) if skipped.is_none() => {
                    if let Node::Element(element) = node.value() {
                        total += run.close(role_in(node, element), element.name());
                        let start = starts.pop().unwrap_or_default();
                        if total != start {
                            let n_prose = total.n_prose - start.n_prose;
                            let n_titles = total.n_titles - start.n_titles;
                            prose
                                .n_bytes
                                .insert(node.id(), Bytes { n_prose, n_titles, n_links: total.n_links - start.n_links });
                        }
                    }
                }
                _ => {}
            }
        }
        prose.is_of_links = total.n_links as f64 > MIN_LINK_SHARE * (total.n_prose + total.n_titles) as f64;
        prose
    }
    // ANCHOR_END: measure

    pub fn of(&self, node: NodeRef<'_, Node>) -> usize {
        let Bytes { n_prose, n_titles, .. } = self.bytes(node);
        if self.is_of_links { n_prose + n_titles } else { n_prose }
    }

    pub fn has_sentences(&self, node: NodeRef<'_, Node>) -> bool {
        self.bytes(node).n_prose > 0
    }

    fn bytes(&self, node: NodeRef<'_, Node>) -> Bytes {
        self.n_bytes.get(&node.id()).copied().unwrap_or_default()
    }

    /// The innermost element below `root` (or itself) that holds nearly all of its prose; on a page of links, most of it
    /// in a column of its own.
    // ANCHOR: content
    pub fn content<'a>(&self, root: NodeRef<'a, Node>) -> NodeRef<'a, Node> {
        let mut content = root;
        loop {
            let enough = NEARLY_ALL * self.of(content) as f64;
            let holds_nearly_all = |child: &NodeRef<'a, Node>| self.of(*child) > 0 && self.of(*child) as f64 >= enough;
            let is_box = |child: &NodeRef<'a, Node>| child.value().as_element().is_some_and(is_box);
            let is_column = |child: &NodeRef<'a, Node>| self.is_of_links && self.is_column(*child, content);
            let step = content.children().filter(is_box).find(|child| holds_nearly_all(child) || is_column(child));
            let Some(child) = step else { return content };
            content = child;
        }
    }
    // ANCHOR_END: content

    /// Whether a child holds most of a page of links, and what stands beside it is no further section: it holds the
    /// headline, or its headings are of other levels than those beside it.
    fn is_column(&self, child: NodeRef<'_, Node>, parent: NodeRef<'_, Node>) -> bool {
        if 2 * self.of(child) <= self.of(parent) {
            return false;
        }
        let own = heading_levels(child);
        let is_beside = |other: &NodeRef<'_, Node>| *other != child && self.of(*other) > 0;
        own.contains(&1)
            || !own.is_empty()
                && parent.children().filter(is_beside).all(|other| heading_levels(other).is_disjoint(&own))
    }
}

/// The levels of the headings below a node.
fn heading_levels(node: NodeRef<'_, Node>) -> HashSet<u8> {
    let level = |node: NodeRef<'_, Node>| match role(node.value().as_element()?) {
        Role::Heading(level) => Some(level),
        _ => None,
    };
    node.descendants().filter_map(level).collect()
}

/// Whether an element may enclose a whole content. A list or a paragraph is a part of one, even if it is alone.
fn is_box(element: &Element) -> bool {
    matches!(
        element.name(),
        "article" | "body" | "center" | "div" | "form" | "main" | "section" | "table" | "tbody" | "td" | "tr"
    ) || element.name().contains('-')
}

/// The text between two borders of blocks.
#[derive(Debug, Default)]
struct Run {
    n_bytes: usize,
    n_link_bytes: usize,
    n_links: usize,
    n_open_links: usize,
    n_headings: usize,
}

impl Run {
    fn add(&mut self, text: &str) {
        let n_bytes = text.split_whitespace().map(|word| word.len() + 1).sum::<usize>();
        self.n_bytes += n_bytes;
        if self.n_open_links > 0 {
            self.n_link_bytes += n_bytes;
        }
    }

    fn open(&mut self, role: Role) -> Bytes {
        match role {
            Role::Inline | Role::Code | Role::Break => Bytes::default(),
            Role::Link => {
                self.n_open_links += 1;
                self.n_links += 1;
                Bytes::default()
            }
            role => {
                // Text before an inner block belongs to a box, which is no paragraph.
                let n_prose = self.end(MIN_RUN_BYTES);
                self.n_headings += usize::from(role.is_heading());
                n_prose
            }
        }
    }

    fn close(&mut self, role: Role, name: &str) -> Bytes {
        match role {
            Role::Inline | Role::Code | Role::Break => Bytes::default(),
            Role::Link => {
                self.n_open_links = self.n_open_links.saturating_sub(1);
                Bytes::default()
            }
            Role::Item | Role::Definition | Role::Cell | Role::Pre => self.end(1),
            Role::Block if matches!(name, "p" | "blockquote" | "figcaption") => self.end(MIN_PARAGRAPH_BYTES),
            role => {
                let n_prose = self.end(MIN_RUN_BYTES);
                self.n_headings -= usize::from(role.is_heading());
                n_prose
            }
        }
    }

    /// The bytes of the run that ends here: prose, titles, or neither.
    fn end(&mut self, n_min: usize) -> Bytes {
        let Run { n_bytes, n_link_bytes, n_links, .. } = *self;
        (self.n_bytes, self.n_link_bytes, self.n_links) = (0, 0, 0);
        if self.n_headings > 0 || n_bytes < n_min {
            Bytes::default()
        } else if 2 * n_link_bytes <= n_bytes {
            Bytes { n_prose: n_bytes, n_titles: 0, n_links: n_link_bytes }
        } else if n_link_bytes >= MIN_TITLE_BYTES * n_links {
            Bytes { n_prose: 0, n_titles: n_bytes, n_links: n_link_bytes }
        } else {
            Bytes::default()
        }
    }
}
