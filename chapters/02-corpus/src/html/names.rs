//! Names that give a part of a page away: `class="site-nav"`, `id="cookieBanner"`, `class="share_buttons"`.
//!
//! A name is cut into words at case changes and at whatever is no letter, and each word and each pair of neighbours is
//! looked up. The lists are ours, from the themes of common systems (WordPress, MediaWiki, phpBB, Discourse, Sphinx, Hugo,
//! Shopify). They are evidence, not proof: [`super::extract`] does not believe a name against a large share of the text.

use scraper::node::Element;

/// What a name says of its element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// Boilerplate by one of the words that only boilerplate bears.
    Boilerplate,
    /// What readers wrote below a text. There may be more of it than of the text.
    Comments,
}

/// What class and id say of an element, if they say anything; of a custom element (`<amp-ad>`), its own name too.
pub(super) fn named(element: &Element) -> Option<Named> {
    if element.name().contains('-')
        && let Some(named) = named_by_words(element.name())
    {
        return Some(named);
    }
    [element.attr("class"), element.attr("id")].into_iter().flatten().find_map(|names| {
        names.split_ascii_whitespace().find_map(|name| {
            if HIDING_CLASSES.contains(&name) { Some(Named::Boilerplate) } else { named_by_words(name) }
        })
    })
}

/// Numbers of lines beside code.
pub(super) fn is_gutter(element: &Element) -> bool {
    element.classes().any(|class| GUTTER_CLASSES.contains(&class))
}

fn named_by_words(name: &str) -> Option<Named> {
    let mut pair = String::new();
    let mut found = None;
    for_each_word(name, |word| {
        // `has-sidebar` names what stands beside.
        let is_about_another = matches!(pair.as_str(), "has" | "no" | "not" | "with" | "without");
        let start = if pair.is_empty() { 0 } else { pair.len() + 1 };
        if start > 0 {
            pair.push('-');
        }
        pair.extend(word.chars().flat_map(char::to_lowercase));
        let is_in = |words: &[&str]| [&pair[start..], pair.as_str()].iter().any(|it| words.binary_search(it).is_ok());
        if !is_about_another && is_in(&COMMENT_WORDS) {
            found = Some(Named::Comments);
        } else if !is_about_another && found.is_none() && is_in(&BOILERPLATE_WORDS) {
            found = Some(Named::Boilerplate);
        }
        pair.drain(..start);
    });
    found
}

fn for_each_word(name: &str, mut look: impl FnMut(&str)) {
    let mut start = 0;
    let mut was_lower = false;
    for (at, c) in name.char_indices() {
        if !c.is_alphanumeric() || was_lower && c.is_uppercase() {
            if start < at {
                look(&name[start..at]);
            }
            start = if c.is_alphanumeric() { at } else { at + c.len_utf8() };
        }
        was_lower = c.is_lowercase();
    }
    if start < name.len() {
        look(&name[start..]);
    }
}

/// Classes that hide an element from readers; as a part of a longer name the words mean nothing.
const HIDING_CLASSES: [&str; 9] = [
    "hidden",
    "invisible",
    "is-hidden",
    "screen-reader-text",
    "sr-only",
    "u-hidden",
    "visually-hidden",
    "visuallyhidden",
    "d-none",
];

const GUTTER_CLASSES: [&str; 11] = [
    "blob-num",
    "gutter",
    "hljs-ln-numbers",
    "line-number",
    "line-numbers-rows",
    "lineno",
    "linenodiv",
    "linenos",
    "ln",
    "lnt",
    "rouge-gutter",
];

/// Sorted, for the search.
const COMMENT_WORDS: [&str; 7] =
    ["comment-list", "comment-respond", "commentlist", "comments", "disqus", "respond", "user-comments"];

/// Sorted, for the search.
const BOILERPLATE_WORDS: [&str; 120] = [
    "about-author",
    "ad",
    "addthis",
    "ads",
    "adsbygoogle",
    "adsense",
    "advert",
    "advertisement",
    "advertising",
    "affiliate",
    "announcement-bar",
    "author-bio",
    "author-box",
    "author-profile",
    "backlink",
    "banner",
    "breadcrumb",
    "breadcrumbs",
    "call-to",
    "catlinks",
    "cite-backlink",
    "consent",
    "cookie",
    "cookies",
    "copyright",
    "cta",
    "disclaimer",
    "dropdown",
    "editsection",
    "entry-footer",
    "exif",
    "feedback",
    "footer",
    "gdpr",
    "headerlink",
    "jumpbox",
    "jumplinks",
    "language-switcher",
    "lightbox",
    "login",
    "masthead",
    "member-only",
    "members-only",
    "menu",
    "modal",
    "more-albums",
    "more-articles",
    "more-posts",
    "more-stories",
    "most-popular",
    "most-read",
    "nav",
    "navbar",
    "navbox",
    "navigation",
    "newsletter",
    "newsletters",
    "nocontent",
    "noprint",
    "offcanvas",
    "online-list",
    "outbrain",
    "overlay",
    "pager",
    "pagination",
    "paginav",
    "paywall",
    "permalink",
    "pingback",
    "popup",
    "post-buttons",
    "post-menu",
    "post-meta",
    "post-signature",
    "post-tags",
    "postprofile",
    "print-link",
    "printfooter",
    "product-tax",
    "promo",
    "promotion",
    "ranking",
    "rating",
    "ratings",
    "reading-time",
    "recirculation",
    "recommendations",
    "recommended",
    "related",
    "relatedposts",
    "reply",
    "search-form",
    "share",
    "sharedaddy",
    "sharing",
    "sidebar",
    "signature",
    "signup",
    "skip-link",
    "sns",
    "social",
    "sponsor",
    "sponsored",
    "subscribe",
    "subscription",
    "suggested",
    "taboola",
    "tag-list",
    "taglist",
    "tags-links",
    "teaser-list",
    "toc",
    "toolbar",
    "tooltip",
    "topicpath",
    "upsell",
    "user-info",
    "user-profile",
    "votecell",
    "widget",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted() {
        assert!(COMMENT_WORDS.is_sorted() && BOILERPLATE_WORDS.is_sorted());
    }

    #[test]
    fn words_and_pairs_are_found_and_parts_of_words_are_not() {
        for name in ["site-nav", "cookieBanner", "share_buttons", "x-author-box", "sns-btn", "AuthorBox"] {
            assert_eq!(named_by_words(name), Some(Named::Boilerplate), "{name}");
        }
        for name in [
            "navy",
            "article-author",
            "box",
            "quick-add-hidden",
            "stoic",
            "renav",
            "has-sidebar",
            "no-comments",
            "headline",
            "",
        ] {
            assert_eq!(named_by_words(name), None, "{name}");
        }
        assert_eq!(named_by_words("comments-area-nav"), Some(Named::Comments));
    }
}
