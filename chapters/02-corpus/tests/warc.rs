//! WARC files: what is written is read back, and damage costs the damaged records and no others.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write;
use std::path::Path;

use corpus::warc::{RecordKind, WarcProblem, WarcReader, WarcRecord, WarcWriter};
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

type Item = Result<WarcRecord, WarcProblem>;

fn read(path: &Path) -> Vec<Item> {
    WarcReader::open(path).unwrap().collect()
}

fn read_bytes(bytes: &[u8]) -> Vec<Item> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.warc");
    fs::write(&path, bytes).unwrap();
    read(&path)
}

fn texts(items: &[Item]) -> Vec<&str> {
    items.iter().flatten().map(|record| record.text.as_str()).collect()
}

fn reasons(items: &[Item]) -> Vec<(u64, &str)> {
    items.iter().filter_map(|item| item.as_ref().err()).map(|p| (p.offset, p.reason.as_str())).collect()
}

/// A record of any type with a correct length.
fn record(kind: &str, id: &str, media_type: &str, block: &[u8]) -> Vec<u8> {
    let n_bytes = block.len();
    let mut bytes = format!(
        "WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <{id}>\r\nWARC-Target-URI: https://a.example/{id}\r\n\
         Content-Type: {media_type}\r\nContent-Length: {n_bytes}\r\n\r\n"
    )
    .into_bytes();
    bytes.extend_from_slice(block);
    bytes.extend_from_slice(b"\r\n\r\n");
    bytes
}

fn conversion(id: &str, text: &str) -> Vec<u8> {
    record("conversion", id, "text/plain", text.as_bytes())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn write_pages(path: &Path, pages: &[(String, String)]) {
    let mut writer = WarcWriter::create(path).unwrap();
    for (n, (url, html)) in pages.iter().enumerate() {
        writer.write_response(url, &format!("urn:page:{n}"), html).unwrap();
    }
    writer.finish().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_written_is_read_back(
        pages in prop::collection::vec(("https://[a-z]{1,8}\\.example/[a-z0-9]{0,9}", any::<String>()), 0..8),
        is_gzip: bool,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(if is_gzip { "a.warc.gz" } else { "a.warc" });
        write_pages(&path, &pages);
        let items = read(&path);
        prop_assert_eq!(items.len(), pages.len());
        for (n, (item, (url, html))) in items.iter().zip(&pages).enumerate() {
            let record = item.as_ref().unwrap();
            prop_assert_eq!(record.kind, RecordKind::Response);
            prop_assert_eq!(&record.url, url);
            prop_assert_eq!(&record.text, html);
            prop_assert_eq!(&record.id, &format!("urn:page:{n}"));
            prop_assert_eq!(record.http_status, Some(200));
            prop_assert_eq!(&record.content_type, "text/html");
            prop_assert_eq!(&record.date, WarcWriter::DEFAULT_DATE);
        }
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), with_start: bool) {
        let mut file = if with_start { b"WARC/1.0\r\nContent-Length: 7\r\n\r\n".to_vec() } else { Vec::new() };
        file.extend_from_slice(&bytes);
        let is_blank = file.iter().all(|byte| matches!(byte, b'\r' | b'\n'));
        let items = read_bytes(&file);
        prop_assert!(is_blank || with_start || !items.is_empty(), "garbage is reported");
    }

    #[test]
    fn a_flipped_byte_costs_its_gzip_member_and_no_other(at in 0usize..10_000, flip in 1u8..=255) {
        let members: Vec<Vec<u8>> = (0..5).map(|n| gzip(&conversion(&format!("r{n}"), &format!("the text {n}")))).collect();
        let mut file = members.concat();
        let at = at % file.len();
        file[at] ^= flip;
        let mut start = 0;
        let hit = members.iter().position(|member| { start += member.len(); at < start }).unwrap();
        // The two bytes that say "this file is gzip" must be there for the file to be read as such.
        prop_assume!(at >= 2);
        let items = read_bytes(&file);
        for n in (0..5).filter(|n| *n != hit) {
            let text = format!("the text {n}");
            prop_assert!(texts(&items).contains(&text.as_str()), "record {} lost to damage at {} in {}: {:?}", n, at, hit, items);
        }
    }
}

#[test]
fn the_same_pages_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let pages = [("https://a.example/".to_owned(), "<p>one".to_owned())];
    let (a, b) = (folder.path().join("a.warc.gz"), folder.path().join("b.warc.gz"));
    write_pages(&a, &pages);
    write_pages(&b, &pages);
    assert_eq!(fs::read(a).unwrap(), fs::read(b).unwrap());
}

#[test]
fn a_file_cut_anywhere_gives_every_record_before_the_cut() {
    let records: Vec<Vec<u8>> = (0..4).map(|n| conversion(&format!("r{n}"), &format!("text number {n}"))).collect();
    let file = records.concat();
    for cut in 0..=file.len() {
        let items = read_bytes(&file[..cut]);
        // A record is complete when its block is; the two line ends after it carry nothing.
        let mut end = 0;
        let n_complete = records
            .iter()
            .take_while(|r| {
                end += r.len();
                end - 4 <= cut
            })
            .count();
        let start: usize = records[..n_complete].iter().map(Vec::len).sum();
        assert_eq!(texts(&items).len(), n_complete, "cut at {cut}");
        assert_eq!(reasons(&items).len(), usize::from(cut > start), "cut at {cut}: {items:?}");
        if let Some((offset, _)) = reasons(&items).first() {
            assert_eq!(*offset, start as u64, "cut at {cut}");
        }
    }
}

#[test]
fn a_gzip_file_cut_anywhere_gives_every_member_before_the_cut() {
    let members: Vec<Vec<u8>> =
        (0..4).map(|n| gzip(&conversion(&format!("r{n}"), &format!("text number {n}")))).collect();
    let file = members.concat();
    for cut in 2..=file.len() {
        let items = read_bytes(&file[..cut]);
        let mut end = 0;
        let n_complete = members
            .iter()
            .take_while(|member| {
                end += member.len();
                end <= cut
            })
            .count();
        let start: usize = members[..n_complete].iter().map(Vec::len).sum();
        assert_eq!(texts(&items).len(), n_complete, "cut at {cut}: {items:?}");
        assert_eq!(reasons(&items).len(), usize::from(cut > start), "cut at {cut}: {items:?}");
    }
}

#[test]
fn one_member_may_hold_many_records_and_one_record_many_members() {
    let plain = [conversion("a", "first"), conversion("b", "second")].concat();
    let one_member = gzip(&plain);
    let cut = plain.len() / 2;
    let two_members = [gzip(&plain[..cut]), gzip(&plain[cut..])].concat();
    for file in [one_member, two_members] {
        assert_eq!(texts(&read_bytes(&file)), ["first", "second"]);
    }
}

#[test]
fn a_wrong_checksum_is_reported() {
    let mut bad = gzip(&conversion("bad", "these bytes changed"));
    let n = bad.len();
    bad[n - 8] ^= 1; // the first byte of the CRC-32
    let file = [gzip(&conversion("a", "before")), bad, gzip(&conversion("b", "after"))].concat();
    let items = read_bytes(&file);
    assert_eq!(texts(&items), ["before", "after"]);
    let problems = reasons(&items);
    assert_eq!(problems.len(), 1, "{items:?}");
    assert_eq!(problems[0].0, conversion("a", "before").len() as u64);
    assert!(problems[0].1.starts_with("gzip"), "{problems:?}");
}

#[test]
fn bytes_between_gzip_members_are_reported_and_passed_over() {
    let file = [gzip(&conversion("a", "before")), b"junk junk".to_vec(), gzip(&conversion("b", "after"))].concat();
    let items = read_bytes(&file);
    assert_eq!(texts(&items), ["before", "after"]);
    assert_eq!(reasons(&items).len(), 1, "{items:?}");
}

#[test]
fn a_wrong_length_costs_one_record() {
    let good = |n: usize| conversion(&format!("g{n}"), &format!("good {n}"));
    let bad = String::from_utf8(conversion("bad", "0123456789")).unwrap();
    for wrong in ["3", "11", "12", "14", "500", "17000000", "99999999999", "999999999999999999999999", "-1", "ten", ""]
    {
        let bad = bad.replace("Content-Length: 10", &format!("Content-Length: {wrong}"));
        let file = [good(0), bad.into_bytes(), good(1), good(2)].concat();
        let items = read_bytes(&file);
        assert_eq!(texts(&items), ["good 0", "good 1", "good 2"], "length {wrong:?}: {items:?}");
        assert_eq!(reasons(&items).len(), 1, "length {wrong:?}: {items:?}");
        assert_eq!(reasons(&items)[0].0, good(0).len() as u64, "length {wrong:?}");
    }
}

#[test]
fn a_record_cut_in_the_middle_of_a_file_does_not_take_the_next_along() {
    let whole = conversion("cut", &"x".repeat(300_000));
    let file = [whole[..200_000].to_vec(), b"\n".to_vec(), conversion("next", "still here")].concat();
    let items = read_bytes(&file);
    assert_eq!(texts(&items), ["still here"]);
    assert_eq!(reasons(&items).len(), 1);
}

#[test]
fn a_record_above_the_limit_is_reported_and_passed_over() {
    let huge = conversion("huge", &"y".repeat(WarcReader::MAX_RECORD_BYTES + 1));
    let largest = "z".repeat(WarcReader::MAX_RECORD_BYTES);
    let file = [conversion("a", "one"), huge, conversion("largest", &largest)].concat();
    let items = read_bytes(&file);
    assert_eq!(texts(&items), ["one", largest.as_str()]);
    assert!(reasons(&items)[0].1.contains("above the limit"), "{:?}", reasons(&items));
}

#[test]
fn records_without_pages_are_passed_over_silently() {
    let file = [
        record("warcinfo", "i", "application/warc-fields", b"software: x"),
        record("request", "q", "application/http", b"GET / HTTP/1.1\r\n\r\n"),
        record("metadata", "m", "application/warc-fields", b"fetchTimeMs: 5"),
        record("resource", "r", "Text/HTML; charset=utf-8", b"<p>resource"),
    ]
    .concat();
    let items = read_bytes(&file);
    assert_eq!(items.len(), 1);
    let resource = items[0].as_ref().unwrap();
    assert_eq!((resource.kind, resource.content_type.as_str()), (RecordKind::Resource, "text/html"));
    assert_eq!(resource.url, "https://a.example/r");
}

#[test]
fn http_headers_chunks_and_gzip_are_taken_off() {
    let response = |head: &str, body: &[u8]| {
        let block = [format!("HTTP/1.1 {head}\r\n\r\n").as_bytes(), body].concat();
        record("response", "x", "application/http; msgtype=response", &block)
    };
    let file = [
        response("200 OK\r\nTransfer-Encoding: chunked", b"5\r\nhello\r\n7;x=y\r\n, world\r\n0\r\n\r\n"),
        response("200 OK\r\nContent-Encoding: gzip", &gzip(b"unpacked")),
        response("200 OK\r\nTransfer-Encoding: chunked", b"joined already"),
        response("404 Not Found\r\ncontent-TYPE: text/plain", b"gone"),
        response("200 OK\r\nContent-Encoding: lzma", b"??"),
        response("200 OK", b"caf\xe9"),
    ]
    .concat();
    let items = read_bytes(&file);
    assert_eq!(texts(&items), ["hello, world", "unpacked", "joined already", "gone", "café"]);
    assert_eq!(items[3].as_ref().unwrap().http_status, Some(404));
    assert_eq!(items[3].as_ref().unwrap().content_type, "text/plain");
    assert!(reasons(&items)[0].1.contains("lzma"), "{items:?}");
}

#[test]
fn line_feeds_alone_will_do() {
    let text = String::from_utf8(conversion("a", "unix")).unwrap().replace("\r\n", "\n");
    assert_eq!(texts(&read_bytes(text.as_bytes())), ["unix"]);
}

#[test]
fn a_problem_names_file_offset_and_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pages.warc");
    fs::write(&path, "not a warc file").unwrap();
    let message = read(&path)[0].as_ref().unwrap_err().to_string();
    assert!(
        message.contains("pages.warc") && message.contains("byte 0") && message.contains("not a WARC header"),
        "{message}"
    );
}

#[test]
fn nothing_is_left_of_a_writer_that_did_not_finish() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.warc.gz");
    fs::write(&path, "the old file").unwrap();
    let mut writer = WarcWriter::create(&path).unwrap();
    writer.write_response("https://a.example/", "urn:1", "<p>").unwrap();
    drop(writer);
    assert_eq!(fs::read_to_string(&path).unwrap(), "the old file");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "the temporary file is gone");
}

#[test]
fn a_line_end_cannot_be_smuggled_into_a_header() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = WarcWriter::create(&folder.path().join("a.warc")).unwrap();
    let error = writer.write_response("https://a.example/\r\nContent-Length: 0", "urn:1", "<p>").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}
