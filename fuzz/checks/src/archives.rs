//! WARC files and the HTTP responses in them.

use std::io::Write;

use corpus::warc::{WarcProblem, WarcReader, WarcRecord};
use flate2::{Compression, write::GzEncoder, write::ZlibEncoder};

use crate::with_file;

type Item = Result<WarcRecord, WarcProblem>;

/// An archive that is not compressed: offsets grow, and the same bytes packed into gzip or zstd give the same records.
pub fn warc(bytes: &[u8]) {
    let plain = items("x.warc", bytes);
    let offsets: Vec<u64> = plain.iter().map(offset).collect();
    assert!(offsets.is_sorted(), "{offsets:?}");
    // Archives are told from their first bytes: what begins like a packed file is one, and its offsets count what it holds.
    let is_packed = [&[0x1f, 0x8b][..], &[0x28, 0xb5, 0x2f, 0xfd]].iter().any(|magic| bytes.starts_with(magic));
    let is_skippable = bytes.first().is_some_and(|byte| byte & 0xf0 == 0x50);
    if !is_packed && !is_skippable && !bytes.is_empty() {
        assert!(offsets.iter().all(|&offset| offset <= bytes.len() as u64), "{offsets:?} in {} bytes", bytes.len());
        assert_eq!(without_file(items("x.warc.gz", &gzip(bytes))), without_file(plain.clone()));
        assert_eq!(without_file(items("x.warc.zst", &zstd(bytes))), without_file(plain));
    }
}

/// An archive of packed records. The first two bytes say how to pack and where to do damage; damage to one member costs
/// no other.
pub fn warc_members(bytes: &[u8]) {
    // As it stands: packed or not.
    items("x.warc.gz", bytes);
    let [how, place, rest @ ..] = bytes else { return };
    let pack: fn(&[u8]) -> Vec<u8> = if how % 2 == 0 { gzip } else { zstd };
    let texts: Vec<String> = rest.split(|&byte| byte == b'\n').take(6).map(words_of_letters).collect();
    let mut members: Vec<Vec<u8>> = (0..).zip(&texts).map(|(n, text)| pack(&conversion(n, text))).collect();
    let damaged = usize::from(how / 2) % (members.len() + 1);
    if let Some(member) = members.get_mut(damaged) {
        // Its magic stays, so that it still begins a member.
        let at = 4 + usize::from(*place) % (member.len() - 4);
        member[at] ^= 1 << (place % 8);
    }
    let found = items("x.warc.gz", &members.concat());
    let found: Vec<&str> = found.iter().flatten().map(|record| record.text.as_str()).collect();
    for (n, text) in texts.iter().enumerate().filter(|(n, _)| *n != damaged) {
        assert!(found.contains(&text.as_str()), "record {n} is lost with {damaged}: {found:?}");
    }
}

/// A response in a record of the right length: as it stands, and as a body that went through chunks and a content coding.
pub fn http_response(bytes: &[u8]) {
    let [how, body @ ..] = bytes else { return };
    let as_it_stands = items("x.warc", &response(body));
    assert_eq!(as_it_stands.len(), 1, "{as_it_stands:?}");
    let (coding, coded) = match how % 4 {
        0 => ("gzip", gzip(body)),
        1 => ("zstd", zstd(body)),
        2 => ("deflate", zlib(body)),
        _ => ("identity", body.to_vec()),
    };
    let chunked = chunks(&coded, usize::from(how / 4) + 1);
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";
    let plain = [head.as_bytes(), b"\r\n", body].concat();
    let head = format!("{head}Transfer-Encoding: chunked\r\nContent-Encoding: {coding}\r\n\r\n");
    let sent = [head.as_bytes(), &chunked].concat();
    assert_eq!(text_of(items("x.warc", &response(&sent))), text_of(items("x.warc", &response(&plain))), "{coding}");
}

fn items(name: &str, bytes: &[u8]) -> Vec<Item> {
    with_file(name, bytes, |path| WarcReader::open(path).map(Iterator::collect).unwrap_or_default())
}

fn offset(item: &Item) -> u64 {
    item.as_ref().map_or_else(|problem| problem.offset, |record| record.offset)
}

/// Problems name the file, which differs.
fn without_file(items: Vec<Item>) -> Vec<Result<WarcRecord, (u64, String)>> {
    items.into_iter().map(|item| item.map_err(|problem| (problem.offset, problem.reason))).collect()
}

fn text_of(items: Vec<Item>) -> String {
    assert_eq!(items.len(), 1, "{items:?}");
    items.into_iter().next().unwrap().unwrap().text
}

/// Text that says nothing of records and is not empty.
fn words_of_letters(line: &[u8]) -> String {
    std::iter::once('x').chain(line.iter().map(|byte| char::from(b'a' + byte % 26))).collect()
}

fn conversion(n: usize, text: &str) -> Vec<u8> {
    record("conversion", &format!("WARC-Record-ID: <{n}>\r\nContent-Type: text/plain\r\n"), text.as_bytes())
}

fn response(block: &[u8]) -> Vec<u8> {
    record("response", "Content-Type: application/http; msgtype=response\r\n", block)
}

fn record(kind: &str, fields: &str, block: &[u8]) -> Vec<u8> {
    let head = format!("WARC/1.0\r\nWARC-Type: {kind}\r\n{fields}Content-Length: {}\r\n\r\n", block.len());
    [head.as_bytes(), block, b"\r\n\r\n"].concat()
}

fn chunks(body: &[u8], n_bytes: usize) -> Vec<u8> {
    let chunk = |chunk: &[u8]| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat();
    let joined: Vec<Vec<u8>> = body.chunks(n_bytes).map(chunk).collect();
    [&joined.concat()[..], b"0\r\n\r\n"].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    // With a checksum, or damage could pass for another text.
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
