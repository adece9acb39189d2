//! Makes any page safe to parse: nesting above a limit is flattened, and markup without meaning for text is removed.
//!
//! An HTML parser asks at every tag what is open, so `n` nested tags cost it `n²` steps: a page of 100,000 `<div>` holds
//! it for minutes. Unclosed `<b>` are worse, since every later paragraph reopens each of them. Browsers draw the line at
//! a depth of 512 (Chromium's `kMaximumHTMLParserDOMTreeDepth`), and so does this scan, which runs before the parser:
//! tags beyond the limit are cut out, their text stays. Inline formatting (`<b>`, `<em>`, `<font>`, …) and drawings
//! (`<svg>`, `<math>`) are cut always, as no rule of the extractor looks at them.
//!
//! A link that was never closed is closed with the box around it: a parser reopens it in every later paragraph, and the
//! whole rest of the page would be a link.

use std::borrow::Cow;

/// Open elements beyond this depth are cut.
pub(super) const MAX_DEPTH: usize = 512;
/// `<code>` is reopened by parsers like `<b>`; more than this many unclosed ones are a mistake or an attack.
const MAX_CODE_DEPTH: usize = 4;

/// Returns `html` with at most [`MAX_DEPTH`] elements nested, with its links closed, and without formatting tags and
/// drawings.
pub(super) fn limit_nesting(html: &str) -> Cow<'_, str> {
    let mut cutter = Cutter { html, kept: String::new(), n_done: 0 };
    let mut depth = Depth { limit: MAX_DEPTH, n_open: 0, n_cut: 0 };
    let mut code_depth = Depth { limit: MAX_CODE_DEPTH, n_open: 0, n_cut: 0 };
    let mut link_depth = None;
    let mut drawings_close = true;
    let mut at = 0;
    while let Some(tag) = next_tag(html, at) {
        at = tag.end;
        let is_cut = match kind(tag.name) {
            Kind::Uncounted => false,
            Kind::Formatting => true,
            Kind::Code => code_depth.is_cut(tag.is_closing),
            Kind::Counted => {
                let is_cut = depth.is_cut(tag.is_closing);
                if tag.is_closing && link_depth.take_if(|link_depth| depth.n_open < *link_depth).is_some() {
                    cutter.insert(tag.start, "</a>");
                }
                is_cut
            }
            Kind::Link => {
                link_depth = (!tag.is_closing).then_some(depth.n_open);
                false
            }
            Kind::Raw if tag.is_closing => false,
            Kind::Raw => {
                at = find_closing(html, tag.name, at).unwrap_or(html.len());
                false
            }
            Kind::Drawing => {
                // One failed search is enough: a page of unclosed drawings must not be searched to its end by each.
                if !tag.is_closing && drawings_close {
                    match find_closing(html, tag.name, at) {
                        Some(end) => at = end + html[end..].find('>').map_or(0, |n| n + 1),
                        None => drawings_close = false,
                    }
                }
                true
            }
        };
        if is_cut {
            cutter.cut(tag.start, at);
        }
    }
    cutter.finish()
}

struct Tag<'a> {
    start: usize,
    end: usize,
    name: &'a str,
    is_closing: bool,
}

enum Kind {
    /// Cannot nest: void, or closed by the next of its name.
    Uncounted,
    Counted,
    /// Counts for nothing, but must not outlive the box that it was opened in.
    Link,
    Formatting,
    Code,
    /// Holds text, not tags.
    Raw,
    Drawing,
}

fn kind(name: &str) -> Kind {
    let mut lower = [0u8; 12];
    let Some(lower) = lower.get_mut(..name.len()) else { return Kind::Counted };
    lower.copy_from_slice(name.as_bytes());
    lower.make_ascii_lowercase();
    match &*lower {
        b"a" => Kind::Link,
        b"p" | b"li" | b"dt" | b"dd" | b"tr" | b"td" | b"th" | b"tbody" | b"thead" | b"tfoot" | b"option"
        | b"colgroup" | b"html" | b"head" | b"body" | b"area" | b"base" | b"br" | b"col" | b"embed" | b"hr"
        | b"img" | b"input" | b"link" | b"meta" | b"param" | b"source" | b"track" | b"wbr" => Kind::Uncounted,
        b"b" | b"big" | b"em" | b"font" | b"i" | b"nobr" | b"s" | b"small" | b"strike" | b"strong" | b"tt" | b"u" => {
            Kind::Formatting
        }
        b"code" => Kind::Code,
        b"iframe" | b"noembed" | b"noframes" | b"noscript" | b"plaintext" | b"script" | b"style" | b"textarea"
        | b"title" | b"xmp" => Kind::Raw,
        b"svg" | b"math" => Kind::Drawing,
        _ => Kind::Counted,
    }
}

/// Counts what is open, and what was cut and is therefore not.
struct Depth {
    limit: usize,
    n_open: usize,
    n_cut: usize,
}

impl Depth {
    fn is_cut(&mut self, is_closing: bool) -> bool {
        if is_closing {
            let is_cut = self.n_cut > 0;
            let counter = if is_cut { &mut self.n_cut } else { &mut self.n_open };
            *counter = counter.saturating_sub(1);
            return is_cut;
        }
        let is_cut = self.n_open >= self.limit;
        *(if is_cut { &mut self.n_cut } else { &mut self.n_open }) += 1;
        is_cut
    }
}

/// Copies a text without the ranges that are cut; copies nothing if there are none.
struct Cutter<'a> {
    html: &'a str,
    kept: String,
    n_done: usize,
}

impl<'a> Cutter<'a> {
    fn cut(&mut self, start: usize, end: usize) {
        if self.kept.is_empty() {
            self.kept.reserve(self.html.len());
        }
        self.kept.push_str(&self.html[self.n_done..start]);
        self.n_done = end;
    }

    fn insert(&mut self, at: usize, text: &str) {
        self.cut(at, at);
        self.kept.push_str(text);
    }

    fn finish(mut self) -> Cow<'a, str> {
        if self.n_done == 0 {
            return Cow::Borrowed(self.html);
        }
        self.kept.push_str(&self.html[self.n_done..]);
        Cow::Owned(self.kept)
    }
}

/// The first tag at or after `at`, comments passed over.
fn next_tag(html: &str, mut at: usize) -> Option<Tag<'_>> {
    let bytes = html.as_bytes();
    loop {
        let start = at + html.get(at..)?.find('<')?;
        let rest = &bytes[start + 1..];
        if rest.starts_with(b"!--") {
            at = comment_end(html, start + 4)?;
            continue;
        }
        let is_closing = rest.first() == Some(&b'/');
        let name_start = start + 1 + usize::from(is_closing);
        if !bytes.get(name_start)?.is_ascii_alphabetic() {
            at = start + 1;
            continue;
        }
        let name_end = name_start
            + bytes[name_start..].iter().position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>'))?;
        let end = tag_end(bytes, name_end)?;
        return Some(Tag { start, end, name: &html[name_start..name_end], is_closing });
    }
}

/// The end of a comment: after `-->` or `--!>`; `<!-->` is a whole comment.
fn comment_end(html: &str, after_dashes: usize) -> Option<usize> {
    let from = after_dashes.saturating_sub(2);
    html[from..].match_indices("--").find_map(|(n, _)| {
        let after = from + n + 2;
        let rest = &html[after..];
        let n_end = if rest.starts_with('>') { 1 } else { 2 };
        (rest.starts_with('>') || rest.starts_with("!>")).then_some(after + n_end)
    })
}

/// The position after the `>` that ends a tag; a `>` inside a quoted attribute value does not.
fn tag_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut previous = b' ';
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'>' => return Some(at + 1),
            b'"' | b'\'' if previous == b'=' => {
                at += 1 + bytes[at + 1..].iter().position(|other| *other == byte)?;
            }
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            previous = byte;
        }
        at += 1;
    }
    None
}

/// Where `</name` stands, names compared without case.
fn find_closing(html: &str, name: &str, from: usize) -> Option<usize> {
    html[from..].match_indices("</").map(|(n, _)| from + n).find(|&at| {
        html.as_bytes()
            .get(at + 2..at + 2 + name.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes()))
    })
}
