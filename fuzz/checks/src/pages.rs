//! Encodings and web pages.

use corpus::charset::{Hints, decode_html, decode_text};
use corpus::html::{Extracted, extract};
use corpus::rustdoc::extract_page;
use encoding_rs::UTF_16LE;

/// Any bytes become text, UTF-8 stays what it is, and UTF-16 with its mark comes back.
pub fn charset(bytes: &[u8]) {
    for hints in [Hints::default(), Hints { http_charset: Some("iso-8859-1"), url: "https://a.example.jp/" }] {
        let _ = decode_html(bytes, hints);
        let _ = decode_text(bytes, hints);
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let with_mark: Vec<u8> = [0xFEFF].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    assert_eq!(decode_text(&with_mark, Hints::default()), (text.to_owned(), UTF_16LE.name()));
    // A mark is taken off, zero bytes may be UTF-16, and escapes may be ISO-2022-JP.
    if !text.starts_with('\u{FEFF}') && !text.contains(['\0', '\x1b']) {
        assert_eq!(decode_text(bytes, Hints::default()), (text.to_owned(), "UTF-8"));
    }
}

/// Any page has a main text of no more letters than the page has.
pub fn html(bytes: &[u8]) {
    let page = String::from_utf8_lossy(bytes);
    hold(&page, &extract(&page));
}

/// The same where the page says that rustdoc wrote it.
pub fn rustdoc(bytes: &[u8]) {
    let body = String::from_utf8_lossy(bytes);
    let page = format!(
        "<!DOCTYPE html><html><head><meta name=\"generator\" content=\"rustdoc\"><title>x - Rust</title></head>\
         <body class=\"rustdoc\"><main><section id=\"main-content\">{body}</section></main></body></html>"
    );
    hold(&page, &extract_page(&page));
}

fn hold(page: &str, extracted: &Extracted) {
    let text = &extracted.text;
    assert_eq!(text.trim(), text);
    assert!(!text.contains("\n\n\n") || text.contains("```"), "more than one empty line outside code: {text:?}");
    // Every letter was written in the page, itself or as a reference with a digit in it; numbers of items are ours.
    let n_letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let n_in_page = page.chars().filter(|c| c.is_alphanumeric()).count();
    assert!(n_letters <= n_in_page, "{n_letters} letters from {n_in_page}: {text:?}");
}
