//! Takes the payload out of an HTTP/1.x response as it stands in a WARC record (RFC 9112).
//!
//! Common Crawl stores bodies already decoded; wget and browsers' archives store them as they came over the wire, in
//! chunks or compressed. Both are handled: the chunks here, compression in [`super::coding`].

use super::coding::decode_body;
use super::reader::{header_value, split_header};

/// The parts of a response that a corpus needs.
pub(super) struct HttpResponse {
    pub status: Option<u16>,
    pub content_type: String,
    /// The `charset` of the content type.
    pub charset: Option<String>,
    pub body: Vec<u8>,
}

/// Splits `block` into status, media type and decoded body. A block without an HTTP header is all body.
///
/// # Errors
/// The reason, as a sentence: a header that does not end, an unknown encoding, a body that decodes to more than `max_bytes`.
pub(super) fn parse_response(block: &[u8], max_bytes: usize) -> Result<HttpResponse, String> {
    if !block.starts_with(b"HTTP/") {
        return Ok(HttpResponse { status: None, content_type: String::new(), charset: None, body: block.to_vec() });
    }
    let (header, body) = split_header(block).ok_or("its HTTP header does not end")?;
    let header = String::from_utf8_lossy(header);
    let status = header.split_ascii_whitespace().nth(1).and_then(|status| status.parse().ok());
    let content_type = header_value(&header, "content-type").unwrap_or_default();
    let (content_type, charset) = (media_type(content_type), charset(content_type));

    let mut body = body.to_vec();
    let transfer = header_value(&header, "transfer-encoding").unwrap_or_default().to_ascii_lowercase();
    if transfer.contains("chunked") {
        // Some crawlers join the chunks but keep the header line; such a body is already what we want.
        body = join_chunks(&body).unwrap_or(body);
    }
    let body = decode_body(body, header_value(&header, "content-encoding").unwrap_or_default(), max_bytes)?;
    Ok(HttpResponse { status, content_type, charset, body })
}

/// `Text/HTML; charset=utf-8` is `text/html`.
pub(super) fn media_type(value: &str) -> String {
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The `charset` of a content type; quotes are taken off.
pub(super) fn charset(content_type: &str) -> Option<String> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches(['"', '\''].as_slice());
        name.trim().eq_ignore_ascii_case("charset").then(|| value.to_owned())
    })
}

/// Undoes chunked transfer coding (RFC 9112, section 7.1); `None` if the body is not chunked.
fn join_chunks(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut joined = Vec::with_capacity(body.len());
    loop {
        let line_end = body.iter().position(|&byte| byte == b'\n')?;
        let line = std::str::from_utf8(&body[..line_end]).ok()?;
        let size = line.split(';').next()?.trim();
        let n_bytes = usize::from_str_radix(size, 16).ok()?;
        body = &body[line_end + 1..];
        if n_bytes == 0 {
            return Some(joined);
        }
        joined.extend_from_slice(body.get(..n_bytes)?);
        body = &body[n_bytes..];
        body = body.strip_prefix(b"\r\n").or_else(|| body.strip_prefix(b"\n"))?;
    }
}
