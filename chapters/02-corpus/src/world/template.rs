//! Dresses a page's text in HTML as sites do: navigation, cookie banners, sidebars, footers, scripts.
//!
//! Three layouts (semantic elements, nested `div`s with telling class names, a table of the nineties) and a random choice
//! of the parts around the text. Nothing in these parts is main text.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::phrases::{PLACES, filler, pick};
use super::prose::PageText;

/// A whole HTML page.
pub(super) fn html(text: &PageText, url: &str, rng: &mut ChaCha8Rng) -> String {
    let title = text.heading.clone().unwrap_or_else(|| format!("Page {}", rng.random_range(1..10_000)));
    let body = match rng.random_range(0..3) {
        0 => semantic(text, rng),
        1 => divs(text, rng),
        _ => table(text, rng),
    };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{}</title>\n<link rel=\"canonical\" \
         href=\"{url}\">\n<style>body {{ margin: {}px; }} .menu li {{ display: inline; }}</style>\n\
         <script>window.visits = {};</script>\n</head>\n<body>\n{body}\n</body>\n</html>\n",
        escaped(&title),
        rng.random_range(0..40),
        rng.random_range(0..1000),
    )
}

fn semantic(text: &PageText, rng: &mut ChaCha8Rng) -> String {
    let inner = if rng.random_bool(0.5) { format!("<article>\n{}</article>", main(text)) } else { main(text) };
    let aside = if rng.random_bool(0.6) {
        format!("<aside>\n<h3>{}</h3>\n{}</aside>\n", aside_title(rng), side(rng))
    } else {
        String::new()
    };
    let form = if rng.random_bool(0.3) {
        "<form action=\"/comment\"><label>Your comment</label><textarea></textarea><button>Send it</button></form>\n"
    } else {
        ""
    };
    format!(
        "{}<header><a href=\"/\">{}</a></header>\n<nav>{}</nav>\n<main>\n{inner}\n{form}</main>\n{aside}<footer>{}</footer>",
        banner(rng),
        site(rng),
        links(rng, 4),
        footer(rng),
    )
}

fn divs(text: &PageText, rng: &mut ChaCha8Rng) -> String {
    let content = pick(&["content", "post-body", "entry", "main-text"], rng);
    let sidebar =
        if rng.random_bool(0.6) { format!("<div class=\"sidebar\">\n{}</div>\n", side(rng)) } else { String::new() };
    let share = if rng.random_bool(0.5) {
        format!("<div class=\"share-buttons\">Share this page: {}</div>\n", links(rng, 3))
    } else {
        String::new()
    };
    // A header without a link looks like a first paragraph: the hard case of this layout.
    let header = if rng.random_bool(0.02) { site(rng) } else { format!("<a href=\"/\">{}</a>", site(rng)) };
    format!(
        "{}<div id=\"header\"><p>{header}</p></div>\n<div class=\"menu\"><ul>{}</ul></div>\n<div class=\"breadcrumbs\">{}</div>\n\
         <div class=\"{content}\">\n{}</div>\n{share}{sidebar}<div id=\"footer\"><p>{}</p></div>",
        banner(rng),
        (0..rng.random_range(4..9)).map(|_| format!("<li>{}</li>", link(rng))).collect::<String>(),
        links(rng, 2),
        main(text),
        footer(rng),
    )
}

fn table(text: &PageText, rng: &mut ChaCha8Rng) -> String {
    let menu: String = (0..rng.random_range(4..9)).map(|_| format!("{}<br>\n", link(rng))).collect();
    format!(
        "{}<table width=\"100%\"><tr><td width=\"160\" valign=\"top\">{menu}</td>\n<td>\n{}</td></tr></table>\n\
         <div class=\"footer\"><hr>{}</div>",
        banner(rng),
        main(text),
        footer(rng),
    )
}

/// The main text itself.
fn main(text: &PageText) -> String {
    let mut html = String::new();
    if let Some(heading) = &text.heading {
        html += &format!("<h1>{}</h1>\n", escaped(heading));
    }
    for paragraph in text.paragraph_texts() {
        html += &format!("<p>{}</p>\n", escaped(&paragraph));
    }
    if !text.list.is_empty() {
        let items: String = text.list.iter().map(|item| format!("<li>{}</li>\n", escaped(item))).collect();
        html += &format!("<ul>\n{items}</ul>\n");
    }
    html
}

fn banner(rng: &mut ChaCha8Rng) -> String {
    const TEXTS: [&str; 3] = [
        "We use cookies to make this site better. By staying here you agree to our cookie policy.",
        "This website stores cookies on your device. Accept all or manage your settings.",
        "Your privacy matters to us, which is why we and our 412 partners store cookies.",
    ];
    if rng.random_bool(0.5) {
        let class = pick(&["cookie-banner", "cookie-consent", "cookie-notice"], rng);
        format!("<div class=\"{class}\"><p>{}</p><button>Accept</button></div>\n", pick(&TEXTS, rng))
    } else {
        String::new()
    }
}

/// Links to other pages, sometimes under the beginning of their text.
fn side(rng: &mut ChaCha8Rng) -> String {
    let teaser = |rng: &mut ChaCha8Rng| {
        let text = if rng.random_bool(0.3) { filler(rng) } else { String::new() };
        format!("<p><a href=\"/{}\">Read about the {}</a> {text}</p>\n", rng.random_range(1..999), pick(&PLACES, rng))
    };
    (0..rng.random_range(2..=5)).map(|_| teaser(rng)).collect()
}

fn aside_title(rng: &mut ChaCha8Rng) -> &'static str {
    pick(&["Read next", "Most read this week", "From our partners"], rng)
}

fn site(rng: &mut ChaCha8Rng) -> String {
    format!("The {} Post", pick(&["Daily", "Travel", "Village", "Traveller's"], rng))
}

fn footer(rng: &mut ChaCha8Rng) -> String {
    format!("Copyright {} {}. All rights reserved. {}", rng.random_range(1996..2025), site(rng), links(rng, 3))
}

fn links(rng: &mut ChaCha8Rng, n: usize) -> String {
    (0..n).map(|_| link(rng)).collect::<Vec<_>>().join(" | ")
}

fn link(rng: &mut ChaCha8Rng) -> String {
    const LABELS: [&str; 12] = [
        "Home",
        "About us",
        "Contact",
        "Archive",
        "Terms of use",
        "Privacy",
        "Sign in",
        "Subscribe",
        "Map",
        "Help",
        "Search",
        "Jobs",
    ];
    let label = pick(&LABELS, rng);
    format!("<a href=\"/{}\">{label}</a>", label.to_lowercase().replace(' ', "-"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
