//! Tables that are no tables.
//!
//! Before style sheets, a page was laid out as a table: a cell for the menu, a cell for the content, a row for the footer.
//! Read as a table, such a page is one row of cells, and the menu stands in the line of the text. So the elements of a
//! layout table become boxes (`<div>`), and every rule for boxes holds for its cells.
//!
//! Browsers tell the two apart for screen readers, and so do we, with fewer signs (Gecko, `HTMLTableAccessible.cpp`,
//! `IsProbablyLayoutTable`): a table inside of a cell, a heading of a section or a rule across it, a single cell, and a single
//! row or a single column of cells with paragraphs or lists say layout; `<th>` and `<caption>` say data. Two breaks in
//! a row end a paragraph.

use ego_tree::iter::Edge;
use ego_tree::{NodeId, NodeRef};
use scraper::Html;
use scraper::node::Node;

/// What a table holds, inner tables not counted.
#[derive(Debug, Default)]
struct Table {
    parts: Vec<NodeId>,
    n_rows: usize,
    n_cells: usize,
    is_declared_layout: bool,
    has_sections: bool,
    has_paragraphs: bool,
    has_labels: bool,
}

impl Table {
    // ANCHOR: is_layout
    fn is_layout(&self) -> bool {
        let is_line = self.n_rows <= 1 || self.n_cells <= self.n_rows;
        let is_box = self.n_cells == 1 || is_line && self.has_paragraphs;
        self.is_declared_layout || self.has_sections || is_box && !self.has_labels
    }
    // ANCHOR_END: is_layout
}

/// Makes boxes of the elements of layout tables.
pub(super) fn unfold_layout_tables(page: &mut Html) {
    let is_table = |node: &Node| node.as_element().is_some_and(|element| element.name() == "table");
    if !page.tree.values().any(is_table) {
        return;
    }
    let boxes: Vec<NodeId> = tables(page).into_iter().filter(Table::is_layout).flat_map(|table| table.parts).collect();
    let like = Html::parse_fragment("<div>");
    let Some(div) = like.tree.values().filter_map(Node::as_element).find(|element| element.name() == "div") else {
        return;
    };
    for id in boxes {
        if let Some(mut node) = page.tree.get_mut(id)
            && let Node::Element(element) = node.value()
        {
            element.name = div.name.clone();
        }
    }
}

/// Whether another break stands right before this one.
fn is_second_break(node: NodeRef<'_, Node>) -> bool {
    let is_blank = |node: &NodeRef<'_, Node>| node.value().as_text().is_some_and(|text| text.trim().is_empty());
    let before = node.prev_siblings().find(|node| !is_blank(node));
    before.and_then(|node| node.value().as_element()).is_some_and(|element| element.name() == "br")
}

fn tables(page: &Html) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for edge in page.tree.root().traverse() {
        let (node, is_start) = match edge {
            Edge::Open(node) => (node, true),
            Edge::Close(node) => (node, false),
        };
        let Node::Element(element) = node.value() else { continue };
        match element.name() {
            "table" if !is_start => drop(open.pop()),
            "table" => {
                if let Some(outer) = open.last() {
                    tables[*outer].has_sections = true;
                }
                let is_declared_layout = matches!(element.attr("role"), Some("presentation" | "none"));
                open.push(tables.len());
                tables.push(Table { parts: vec![node.id()], is_declared_layout, ..Table::default() });
            }
            name if is_start => {
                let Some(table) = open.last().map(|at| &mut tables[*at]) else { continue };
                match name {
                    "br" => table.has_paragraphs |= is_second_break(node),
                    "h1" | "h2" | "h3" | "hr" => table.has_sections = true,
                    "blockquote" | "center" | "dl" | "ol" | "p" | "ul" => table.has_paragraphs = true,
                    "tbody" | "tfoot" | "thead" => table.parts.push(node.id()),
                    "tr" => {
                        table.n_rows += 1;
                        table.parts.push(node.id());
                    }
                    "caption" | "td" | "th" => {
                        table.n_cells += 1;
                        table.has_labels |= name != "td";
                        table.parts.push(node.id());
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    tables
}
