//! From bytes to text: which of the web's forty encodings is it?
//!
//! A page may name its encoding in the HTTP header, in a byte order mark, in `<meta charset>`, or not at all, and what it
//! names may be wrong: Apache long sent `charset=iso-8859-1` with everything. The order of trust:
//!
//! 1. a byte order mark;
//! 2. what is valid UTF-8 is UTF-8: other encodings hardly ever are by chance. A few bad bytes among good sequences are damage;
//! 3. zero bytes at every second place are UTF-16;
//! 4. the declared encoding, first the header's, then the page's, unless too much of the text is malformed in it, or it says
//!    Western European while more than a quarter of the letters are not ASCII;
//! 5. else a detector's guess from the frequencies of byte pairs (`chardetng`, the one in Firefox).
//!
//! Labels mean what browsers take them for: `latin1` is windows-1252, `gb2312` is GBK.
//! Sources: WHATWG, *Encoding*; WHATWG, *HTML*, section 13.2.3 (the page's own declaration).
//!
//! What is refused is the caller's choice: malformed bytes become U+FFFD, and [`n_malformed`] counts them.

use std::sync::LazyLock;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, ISO_2022_JP, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use regex::bytes::Regex;

/// How much of a page is searched for its declaration; browsers look at 1024 bytes, but long headers exist.
const DECLARATION_BYTES: usize = 4096;
/// How much the detector sees.
const DETECTION_BYTES: usize = 256 << 10;
/// Share of characters that may be malformed in a declared encoding.
const MAX_MALFORMED_SHARE: f64 = 0.01;
/// Above this share of letters outside ASCII a text is in no Western European language.
const MAX_WESTERN_SHARE: f64 = 0.25;

/// What is known of an encoding besides the bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hints<'a> {
    /// The `charset` of an HTTP header.
    pub http_charset: Option<&'a str>,
    /// The page's address: its country is a hint for the detector.
    pub url: &'a str,
}

/// Decodes an HTML page; returns its text and the encoding's name.
#[must_use]
pub fn decode_html(bytes: &[u8], hints: Hints<'_>) -> (String, &'static str) {
    decode(bytes, choose(bytes, &[hints.http_charset.map(str::as_bytes), declared_in_page(bytes)], hints.url))
}

/// Decodes plain text; returns it and the encoding's name.
#[must_use]
pub fn decode_text(bytes: &[u8], hints: Hints<'_>) -> (String, &'static str) {
    decode(bytes, choose(bytes, &[hints.http_charset.map(str::as_bytes)], hints.url))
}

fn decode(bytes: &[u8], encoding: &'static Encoding) -> (String, &'static str) {
    let (text, _) = encoding.decode_with_bom_removal(bytes);
    (text.into_owned(), encoding.name())
}

/// The encoding of `bytes`, given labels in the order of trust.
// ANCHOR: choose
pub(crate) fn choose(bytes: &[u8], labels: &[Option<&[u8]>], url: &str) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return encoding;
    }
    let declared = || labels.iter().flatten().filter_map(|label| Encoding::for_label(label));
    let utf8 = Utf8Census::of(bytes);
    // Japanese mail (ISO-2022-JP) is all ASCII bytes with escapes, and so valid UTF-8.
    let has_escapes = bytes.contains(&0x1b) && declared().next() != Some(UTF_8);
    if utf8.is_likely() && !has_escapes {
        return guess_utf16(bytes).filter(|_| declared().next() != Some(UTF_8)).unwrap_or(UTF_8);
    }
    if let Some(encoding) = guess_utf16(bytes) {
        return encoding;
    }
    // A declaration in ASCII letters cannot stand in UTF-16 text: such a label is wrong.
    let is_possible = |encoding: &&'static Encoding| {
        encoding.is_ascii_compatible() && *encoding != UTF_8 && is_plausible(bytes, encoding)
            || has_escapes && *encoding == ISO_2022_JP
    };
    declared().find(is_possible).unwrap_or_else(|| detect(bytes, url))
}
// ANCHOR_END: choose

/// Whether the text may be in the declared encoding.
fn is_plausible(bytes: &[u8], encoding: &'static Encoding) -> bool {
    let bytes = &bytes[..bytes.len().min(DETECTION_BYTES)];
    if encoding == WINDOWS_1252 {
        let n_high = bytes.iter().filter(|byte| !byte.is_ascii()).count();
        let n_letters = bytes.iter().filter(|byte| byte.is_ascii_alphabetic()).count() + n_high;
        return n_high as f64 <= MAX_WESTERN_SHARE * n_letters as f64;
    }
    let (text, _) = encoding.decode_without_bom_handling(bytes);
    let n_foreign = text.chars().filter(|char| !char.is_ascii()).count();
    n_malformed(&text) as f64 <= MAX_MALFORMED_SHARE * n_foreign as f64
}

/// Malformed sequences that decoding replaced.
#[must_use]
pub fn n_malformed(text: &str) -> usize {
    text.matches(char::REPLACEMENT_CHARACTER).count()
}

/// Sequences of more than one byte, sound ones and bad ones.
#[derive(Debug, Default)]
struct Utf8Census {
    n_sound: usize,
    n_bad: usize,
}

impl Utf8Census {
    fn of(bytes: &[u8]) -> Utf8Census {
        let mut census = Utf8Census::default();
        // Nearly every page: checked many bytes at a time, not one by one.
        if std::str::from_utf8(bytes).is_ok() {
            return census;
        }
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            // Each begins with one byte of two high bits.
            census.n_sound += chunk.valid().bytes().filter(|byte| *byte >= 0xc0).count();
            let is_cut_off = census.n_sound > 0 && chunks.peek().is_none() && is_beginning(chunk.invalid());
            census.n_bad += usize::from(!chunk.invalid().is_empty() && !is_cut_off);
        }
        census
    }

    fn is_likely(&self) -> bool {
        self.n_bad == 0 || self.n_sound > self.n_bad
    }
}

/// Whether the bytes are a character that the end of the text cuts off.
fn is_beginning(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

/// UTF-16 without a byte order mark shows by its zero bytes, as long as much of it is ASCII.
fn guess_utf16(bytes: &[u8]) -> Option<&'static Encoding> {
    let first = &bytes[..bytes.len().min(4096) & !1];
    let n_zeros = |parity: usize| first.iter().skip(parity).step_by(2).filter(|byte| **byte == 0).count();
    let n_units = first.len() / 2;
    let (n_even, n_odd) = (n_zeros(0), n_zeros(1));
    // Some characters have a zero low byte too, the grinning face U+1F600 among them.
    let is_side = |n_here: usize, n_there: usize| n_here * 4 > n_units && n_there * 8 < n_here;
    if is_side(n_odd, n_even) { Some(UTF_16LE) } else { is_side(n_even, n_odd).then_some(UTF_16BE) }
}

fn detect(bytes: &[u8], url: &str) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    let seen = &bytes[..bytes.len().min(DETECTION_BYTES)];
    detector.feed(seen, seen.len() == bytes.len());
    detector.guess(country(url).map(str::as_bytes), Utf8Detection::Deny)
}

/// The last part of the host's name, if it is one that the detector takes.
fn country(url: &str) -> Option<&str> {
    let host = url.split_once("://")?.1.split(['/', '?', '#', ':']).next()?;
    let (_, last) = host.rsplit_once('.')?;
    (!last.is_empty() && last.bytes().all(|byte| byte.is_ascii_lowercase())).then_some(last)
}

static META_CHARSET: LazyLock<Regex> =
    LazyLock::new(|| constant(r#"(?i-u)<meta\s[^>]{0,500}?charset\s*=\s*["']?\s*([a-z0-9_:.+-]+)"#));
static XML_ENCODING: LazyLock<Regex> =
    LazyLock::new(|| constant(r#"(?i-u)^\s*<\?xml\s[^>]{0,200}?encoding\s*=\s*["']([a-z0-9_:.+-]+)["']"#));

#[allow(clippy::expect_used)]
fn constant(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the patterns are constants, and every test of a page compiles them")
}

/// The label that the page itself gives.
fn declared_in_page(bytes: &[u8]) -> Option<&[u8]> {
    let first = &bytes[..bytes.len().min(DECLARATION_BYTES)];
    let found = META_CHARSET.captures(first).or_else(|| XML_ENCODING.captures(first))?;
    found.get(1).map(|label| label.as_bytes())
}
