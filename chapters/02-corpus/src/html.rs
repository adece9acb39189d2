//! From a web page to its main text.
//!
//! A page is mostly not its content: menus, banners, footers, forms, scripts. Two kinds of evidence tell them apart.
//! Structure: HTML names many of the parts (`<nav>`, `<footer>`, `role="banner"`), and where it does not, class names do
//! (`class="cookie-banner"`). Density: what is mostly links is a menu, whatever it is called. The rules follow
//! Kohlschütter et al. (WSDM 2010) and Barbaresi, "Trafilatura" (ACL 2021 demo); extraction decides more about a corpus
//! than most filters after it (Penedo et al., FineWeb, arXiv 2406.17557, section 3.2).
//!
//! Any bytes that are a `str` are accepted: the parser (html5ever) repairs what is broken, nesting is limited before it,
//! and a page above [`MAX_HTML_BYTES`] is cut there. Text that scripts would write is not seen.

mod blocks;
mod density;
mod landmarks;
mod layout;
mod lead;
mod names;
mod nesting;
mod phrases;
mod prose;
mod role;
mod speed;
mod text;
mod verbatim;

pub(crate) use density::Links;
pub(crate) use landmarks::Landmarks;
pub use speed::seconds;
pub(crate) use text::render;

use layout::unfold_layout_tables;
use lead::{lead, with_lead};
use names::{Named, is_gutter, named};
use nesting::limit_nesting;
use prose::Prose;

use ego_tree::NodeRef;
use scraper::Html;
use scraper::node::{Element, Node};

/// Pages are cut at this size.
pub const MAX_HTML_BYTES: usize = 16 << 20;

/// A page's content.
// ANCHOR: extracted
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extracted {
    /// `<title>`, white space collapsed.
    pub title: Option<String>,
    /// The language that the page claims (`<html lang>`), as written.
    pub lang: Option<String>,
    /// The licence that the page claims: an address or a sentence, as written.
    pub licence: Option<String>,
    /// What the page asks of robots (`<meta name=robots>`), as written: `noindex, noai`.
    pub robots: Option<String>,
    /// Main content as plain text with Markdown's headings, lists and code fences; empty if there is none.
    pub text: String,
}
// ANCHOR_END: extracted

/// Extracts the main content of a page.
// ANCHOR: extract
#[must_use]
pub fn extract(html: &str) -> Extracted {
    let mut page = parse(html);
    unfold_layout_tables(&mut page);
    let Landmarks { title, lang, licence, robots, main, body } = Landmarks::find(&page);
    let text = body.map_or_else(String::new, |body| main_text(body, main, title.as_deref()));
    Extracted { title, lang, licence, robots, text }
}

fn main_text(body: NodeRef<'_, Node>, main: Option<NodeRef<'_, Node>>, title: Option<&str>) -> String {
    let visible = Prose::measure(body, |_, element| is_invisible(element));
    let n_visible = visible.of(body) as f64;
    // Names and elements are evidence. Against too large a share of the page's prose they are not believed.
    let is_dropped = |node: NodeRef<'_, Node>, element: &Element| {
        is_invisible(element)
            || max_share(node, element).is_some_and(|share| visible.of(node) as f64 <= share * n_visible)
    };
    let prose = Prose::measure(body, is_dropped);
    let main = main.filter(|main| prose.of(*main) as f64 >= MIN_MAIN_SHARE * prose.of(body) as f64);
    let content = prose.content(main.unwrap_or(body));
    let text = render(content, Links::DropDense, is_dropped);
    let text = with_lead(text, &lead(body, content, title, &visible, is_dropped));
    if text.len() >= SHORT_TEXT_BYTES {
        return text;
    }
    // So little may be a failure of the rules. Trusting them less wins only where they clearly missed the content.
    let other = render(body, Links::DropDense, |_, element| is_invisible(element) || is_furniture(element));
    if other.len() > CLEARLY_LONGER * text.len() { other } else { text }
}
// ANCHOR_END: extract

/// A `<main>` with less of the page's prose is not believed.
const MIN_MAIN_SHARE: f64 = 0.4;
/// A text below this length may be a failure of the rules.
const SHORT_TEXT_BYTES: usize = 200;
/// How much longer another attempt must be to be believed.
const CLEARLY_LONGER: usize = 4;

/// Parses a page of any size and depth.
pub(crate) fn parse(html: &str) -> Html {
    let end = html.floor_char_boundary(MAX_HTML_BYTES);
    Html::parse_document(&limit_nesting(&html[..end]))
}

/// What a reader of the page cannot see, or cannot read as text.
pub(crate) fn is_invisible(element: &Element) -> bool {
    let is_machinery = matches!(
        element.name(),
        "audio"
            | "button"
            | "canvas"
            | "datalist"
            | "embed"
            | "head"
            | "iframe"
            | "input"
            | "map"
            | "math"
            | "noscript"
            | "object"
            | "option"
            | "script"
            | "select"
            | "style"
            | "svg"
            | "template"
            | "textarea"
            | "video"
    );
    is_machinery
        || element.attr("hidden").is_some()
        || element.attr("aria-hidden") == Some("true")
        || element.attr("style").is_some_and(hides)
}

fn hides(style: &str) -> bool {
    let style: String = style.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase();
    style.contains("display:none") || style.contains("visibility:hidden")
}

/// Parts that HTML itself names as not the content.
fn is_furniture(element: &Element) -> bool {
    matches!(element.name(), "nav" | "footer" | "aside" | "dialog" | "menu")
        || element.attr("role").is_some_and(|role| {
            matches!(
                role,
                "alertdialog"
                    | "banner"
                    | "complementary"
                    | "contentinfo"
                    | "dialog"
                    | "menu"
                    | "menubar"
                    | "navigation"
                    | "search"
                    | "toolbar"
            )
        })
}

/// The largest share of a page's prose that an element may hold and still be dropped as boilerplate; `None` if nothing
/// speaks against it.
// ANCHOR: boilerplate
fn max_share(node: NodeRef<'_, Node>, element: &Element) -> Option<f64> {
    if is_furniture(element) {
        return Some(0.8);
    }
    match element.name() {
        "form" | "fieldset" | "label" | "legend" => return Some(0.4),
        // Inside an article the header holds the headline.
        "header" if !is_inside(node, &["article", "main"]) => return Some(0.4),
        // The mark of a footnote is no word of the sentence.
        "sup" if element.classes().any(|class| matches!(class, "reference" | "footnote-ref")) => return Some(0.4),
        "div" | "dl" | "figure" | "header" | "li" | "ol" | "p" | "section" | "span" | "table" | "td" | "tr" | "ul"
        | "a" => {}
        name if name.contains('-') => {}
        _ => return None,
    }
    if is_gutter(element) || is_step_link(element) {
        return Some(1.0);
    }
    match named(element)? {
        // The colours of code have names like `comment`.
        _ if is_inside(node, &["pre"]) => None,
        Named::Boilerplate => Some(0.6),
        Named::Comments => Some(0.8),
    }
}
// ANCHOR_END: boilerplate

/// A link to a neighbour in a sequence (HTML Standard, section 4.6.7.22).
fn is_step_link(element: &Element) -> bool {
    element.name() == "a" && element.attr("rel").is_some_and(|rel| matches!(rel, "next" | "prev" | "previous"))
}

fn is_inside(node: NodeRef<'_, Node>, names: &[&str]) -> bool {
    node.ancestors().any(|node| node.value().as_element().is_some_and(|element| names.contains(&element.name())))
}
