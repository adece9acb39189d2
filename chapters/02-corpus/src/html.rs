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
mod nesting;
mod role;
mod text;

pub(crate) use density::Links;
pub(crate) use landmarks::Landmarks;
pub(crate) use text::render;

use nesting::limit_nesting;

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
    let page = parse(html);
    let Landmarks { title, lang, licence, robots, main, body } = Landmarks::find(&page);
    let strict =
        |root| render(root, Links::DropDense, |node, element| is_invisible(element) || is_boilerplate(node, element));
    let mut text = String::new();
    // Each next attempt trusts the page's own names less. It wins only where the one before clearly missed the content.
    if let Some(main) = main {
        text = strict(main);
    }
    if let Some(body) = body {
        if text.len() < SHORT_TEXT_BYTES && main != Some(body) {
            text = better(text, strict(body));
        }
        if text.len() < SHORT_TEXT_BYTES {
            text = better(
                text,
                render(body, Links::DropDense, |_, element| is_invisible(element) || is_furniture(element)),
            );
        }
    }
    Extracted { title, lang, licence, robots, text }
}
// ANCHOR_END: extract

/// A text below this length may be a failure of the rules.
const SHORT_TEXT_BYTES: usize = 200;
/// How much longer another attempt must be to be believed.
const CLEARLY_LONGER: usize = 4;

fn better(text: String, other: String) -> String {
    if other.len() > CLEARLY_LONGER * text.len() { other } else { text }
}

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

/// Furniture, and what its name gives away as such.
// ANCHOR: boilerplate
fn is_boilerplate(node: NodeRef<'_, Node>, element: &Element) -> bool {
    if is_furniture(element) || element.name() == "form" {
        return true;
    }
    if element.name() == "header" {
        // Inside an article the header holds the headline.
        let is_inside =
            |node: NodeRef<'_, Node>| node.value().as_element().is_some_and(|e| matches!(e.name(), "article" | "main"));
        return !node.ancestors().any(is_inside);
    }
    let may_be_named = matches!(element.name(), "div" | "dl" | "li" | "ol" | "p" | "section" | "table" | "ul");
    may_be_named
        && (element.attr("class").is_some_and(names_boilerplate) || element.attr("id").is_some_and(names_boilerplate))
}

/// Whether a class or id contains a word that only boilerplate bears: `site-nav`, `cookieBanner`, `share_buttons`.
fn names_boilerplate(name: &str) -> bool {
    let mut word = String::new();
    let mut was_lower = false;
    for c in name.chars().chain([' ']) {
        let ends_word = !c.is_alphanumeric() || was_lower && c.is_uppercase();
        if ends_word {
            if BOILERPLATE_WORDS.contains(&word.as_str()) {
                return true;
            }
            word.clear();
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase();
    }
    false
}
// ANCHOR_END: boilerplate

const BOILERPLATE_WORDS: [&str; 44] = [
    "ad",
    "ads",
    "adsense",
    "advert",
    "advertisement",
    "advertising",
    "banner",
    "breadcrumb",
    "breadcrumbs",
    "comments",
    "consent",
    "cookie",
    "cookies",
    "disqus",
    "footer",
    "gdpr",
    "hidden",
    "login",
    "masthead",
    "menu",
    "modal",
    "nav",
    "navbar",
    "navigation",
    "newsletter",
    "overlay",
    "pager",
    "pagination",
    "popup",
    "promo",
    "recommended",
    "related",
    "share",
    "sharing",
    "sidebar",
    "signup",
    "social",
    "sponsor",
    "sponsored",
    "subscribe",
    "subscription",
    "toolbar",
    "tooltip",
    "widget",
];
