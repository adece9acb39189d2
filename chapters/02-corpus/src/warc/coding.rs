//! Undoes the content codings of an HTTP body: gzip, deflate, br (Brotli) and zstd (RFC 9110, section 8.4).
//!
//! The header cannot be trusted. Common Crawl and many tools store the body decoded and keep the header line; so a body
//! that is visibly not compressed is taken as it stands. gzip and zstd begin with magic bytes that tell. Deflate and Brotli
//! have none: a body that does not decode and looks like text is text. "deflate" should be zlib (RFC 1950), but some servers
//! send the bare stream (RFC 1951), so both are tried.
//!
//! What is refused: unknown codings, damaged bodies, and bodies that unpack to more than the limit. A kilobyte of zeros in
//! Brotli can unpack to a gigabyte.

use std::io::Read;

use brotli_decompressor::Decompressor as BrotliDecoder;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// Undoes the codings that a `Content-Encoding` value lists, the last one first.
///
/// # Errors
/// The reason, as a sentence.
// ANCHOR: decode_body
pub(super) fn decode_body(mut body: Vec<u8>, content_encoding: &str, max_bytes: usize) -> Result<Vec<u8>, String> {
    for coding in content_encoding.split(',').rev() {
        let coding = coding.trim().to_ascii_lowercase();
        let decoded = match coding.as_str() {
            "" | "identity" | "none" | "utf-8" => continue,
            "gzip" | "x-gzip" if !body.starts_with(&[0x1f, 0x8b]) => continue,
            "zstd" if !body.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) => continue,
            "gzip" | "x-gzip" => unpack(MultiGzDecoder::new(&body[..]), max_bytes),
            "zstd" => zstd::stream::read::Decoder::with_buffer(&body[..])
                .map_err(|error| error.to_string())
                .and_then(|decoder| unpack(decoder, max_bytes)),
            "deflate" => unpack(ZlibDecoder::new(&body[..]), max_bytes)
                .or_else(|_| unpack(DeflateDecoder::new(&body[..]), max_bytes)),
            "br" => unpack(BrotliDecoder::new(&body[..], 4096), max_bytes),
            other => return Err(format!("its Content-Encoding is {other}; gzip, deflate, br and zstd are read")),
        };
        body = match decoded {
            Ok(decoded) => decoded,
            Err(_) if matches!(coding.as_str(), "deflate" | "br") && looks_like_text(&body) => body,
            Err(reason) => return Err(format!("its {coding} body: {reason}")),
        };
    }
    Ok(body)
}
// ANCHOR_END: decode_body

fn unpack(decoder: impl Read, max_bytes: usize) -> Result<Vec<u8>, String> {
    let mut plain = Vec::new();
    decoder.take(max_bytes as u64 + 1).read_to_end(&mut plain).map_err(|error| error.to_string())?;
    if plain.len() > max_bytes {
        return Err(format!("it unpacks to more than {max_bytes} bytes"));
    }
    Ok(plain)
}

/// Whether the first bytes hold no control characters but white space.
fn looks_like_text(body: &[u8]) -> bool {
    let first = &body[..body.len().min(512)];
    !first.iter().any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace())
}
