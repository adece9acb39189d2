//! What a page says about itself, and where it says that its content stands.
//!
//! The title and the language; the licence, which a page states in `<link rel=license>`, `<a rel=license>` (HTML Standard,
//! section 4.6.7 "license") or a `<meta>` of Dublin Core; the wishes to robots in `<meta name=robots>`. They are kept as
//! written: what follows from them is the reader's decision. A licence in a sentence of the footer is not found.

use ego_tree::NodeRef;
use scraper::Html;
use scraper::node::{Element, Node};

/// The parts of a page that are found by name.
#[derive(Debug)]
pub(crate) struct Landmarks<'a> {
    pub title: Option<String>,
    pub lang: Option<String>,
    pub licence: Option<String>,
    pub robots: Option<String>,
    pub main: Option<NodeRef<'a, Node>>,
    pub body: Option<NodeRef<'a, Node>>,
}

impl<'a> Landmarks<'a> {
    pub fn find(page: &'a Html) -> Self {
        let mut marks = Landmarks { title: None, lang: None, licence: None, robots: None, main: None, body: None };
        let mut articles = Vec::new();
        for node in page.tree.nodes() {
            let Node::Element(element) = node.value() else { continue };
            match element.name() {
                "html" => keep_first(&mut marks.lang, element.attr("lang")),
                "title" if marks.title.is_none() => {
                    marks.title = Some(collapsed_text(node)).filter(|it| !it.is_empty())
                }
                "meta" => marks.read_meta(element),
                "link" | "a" if has_relation(element, "license") => {
                    keep_first(&mut marks.licence, element.attr("href"))
                }
                "body" if marks.body.is_none() => marks.body = Some(node),
                "article" => articles.push(node),
                name => {
                    let is_main = name == "main" || element.attr("role") == Some("main");
                    if is_main && marks.main.is_none() {
                        marks.main = Some(node);
                    }
                }
            }
        }
        if let (None, [article]) = (marks.main, articles.as_slice()) {
            marks.main = Some(*article);
        }
        marks
    }

    fn read_meta(&mut self, element: &Element) {
        match element.attr("name").unwrap_or_default().to_ascii_lowercase().as_str() {
            "robots" => keep_first(&mut self.robots, element.attr("content")),
            "license" | "dc.rights" | "dc.rights.license" | "dcterms.rights" | "dcterms.license" => {
                keep_first(&mut self.licence, element.attr("content"));
            }
            _ => {}
        }
    }
}

/// All text below `node`, white space collapsed.
fn collapsed_text(node: NodeRef<'_, Node>) -> String {
    let mut words = String::new();
    for text in node.descendants().filter_map(|node| node.value().as_text()) {
        words.push_str(text);
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn keep_first(kept: &mut Option<String>, value: Option<&str>) {
    if kept.is_none() {
        *kept = value.map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned);
    }
}

/// `rel` holds words, compared without case: `rel="license nofollow"`.
fn has_relation(element: &Element, relation: &str) -> bool {
    element.attr("rel").is_some_and(|rel| rel.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case(relation)))
}
