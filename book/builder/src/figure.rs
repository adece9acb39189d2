//! An SVG file as part of a web page.
//!
//! Inline SVG follows the page's theme where it says `currentColor`, which an `<img>` cannot. Two things must change on
//! the way: ids become unique on the page (two figures may both have a `clip0`), and lines are joined, because a blank
//! line ends a block of HTML in Markdown. It refuses a file that is not SVG or has no `viewBox`: such a drawing cannot
//! shrink to a phone.

use anyhow::{Context, Result, ensure};

/// Gives the `<svg>` element of `source` for a page, with `name` before every id and `caption` as its label.
///
/// # Errors
/// Text that is not well-formed SVG, or that has no `viewBox`.
pub fn inline(source: &str, name: &str, caption: &str) -> Result<String> {
    let document = roxmltree::Document::parse(source).context("the figure is not well-formed XML")?;
    let root = document.root_element();
    ensure!(root.tag_name().name() == "svg", "the figure's root is <{}>, not <svg>", root.tag_name().name());
    ensure!(root.has_attribute("viewBox"), "the figure has no viewBox, so it cannot shrink to a phone");
    let mut svg = source[root.range()].lines().map(str::trim).collect::<Vec<_>>().join(" ");
    for id in document.descendants().filter_map(|node| node.attribute("id")) {
        for (before, after) in [("id=\"", "\""), ("href=\"#", "\""), ("url(#", ")")] {
            svg = svg.replace(&format!("{before}{id}{after}"), &format!("{before}{name}-{id}{after}"));
        }
    }
    Ok(svg.replacen("<svg", &format!("<svg role=\"img\" aria-label=\"{}\"", escape(caption)), 1))
}

/// Escapes text for HTML, also inside an attribute.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SVG: &str = "<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1 1\">\n\n\
         <clipPath id=\"c\"/><g clip-path=\"url(#c)\"/><use href=\"#c\"/></svg>\n";

    #[test]
    fn ids_are_unique_and_no_line_is_blank() {
        let svg = inline(SVG, "loss", "a < b").unwrap();
        assert!(svg.starts_with("<svg role=\"img\" aria-label=\"a &lt; b\""), "{svg}");
        assert!(svg.contains("id=\"loss-c\"") && svg.contains("url(#loss-c)") && svg.contains("href=\"#loss-c\""));
        assert!(!svg.contains('\n'));
    }

    #[test]
    fn refuses_what_cannot_be_shown() {
        assert!(inline("<svg width=\"3\"/>", "a", "b").is_err());
        assert!(inline("<p/>", "a", "b").is_err());
        assert!(inline("<svg>", "a", "b").is_err());
    }
}
