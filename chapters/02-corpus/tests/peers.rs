//! Reading what other programs wrote: warcio's archives, Python's encodings and compressors, the dictionary of zstandard.
//!
//! The files in `tests/reading` come from `tests/reference/reading.py` of the workspace.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use corpus::charset::{Hints, decode_html, decode_text};
use corpus::read::{Reading, read_folder};
use corpus::warc::WarcReader;
use serde_json::Value;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reading").join(name)
}

fn golden_json(name: &str) -> Value {
    serde_json::from_slice(&fs::read(golden(name)).unwrap()).unwrap()
}

fn bytes_of_hex(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap().as_bytes();
    hex.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn read_file(name: &str, bytes: &[u8]) -> Reading {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), bytes).unwrap();
    read_folder(folder.path()).unwrap()
}

#[test]
fn an_archive_of_warcio_gives_what_warcio_reads_in_it() {
    let expected = golden_json("pages.json");
    let records: Vec<_> = WarcReader::open(&golden("pages.warc.gz")).unwrap().map(Result::unwrap).collect();
    let field = |name: &str| -> Vec<&str> {
        expected.as_array().unwrap().iter().map(|record| record[name].as_str().unwrap()).collect()
    };
    assert_eq!(records.iter().map(|record| record.id.as_str()).collect::<Vec<_>>(), field("id"));
    assert_eq!(records.iter().map(|record| record.url.as_str()).collect::<Vec<_>>(), field("url"));
    assert_eq!(records.iter().map(|record| record.date.as_str()).collect::<Vec<_>>(), field("date"));
    assert_eq!(records.iter().map(|record| record.text.as_str()).collect::<Vec<_>>(), field("text"));
}

#[test]
fn what_the_crawler_noted_becomes_metadata() {
    let reading = read_folder(&golden("pages.warc.gz")).unwrap();
    let last = reading.documents.last().unwrap();
    assert_eq!(last.metadata["date"], "2024-05-06T07:08:09Z");
    assert_eq!(last.metadata["language"], "eng");
    assert_eq!(reading.skipped.count, 0);
}

#[test]
fn bodies_are_decoded_whatever_packed_them() {
    let codings = golden_json("codings.json");
    let plain = codings["plain"].as_str().unwrap();
    for (coding, body) in codings["bodies"].as_object().unwrap() {
        let name = coding.trim_end_matches(", raw");
        let text = response_text(name, &bytes_of_hex(body)).unwrap();
        assert_eq!(text, plain, "{coding}");
        // Decoded by the crawler, header kept.
        assert_eq!(response_text(name, plain.as_bytes()).unwrap(), plain, "{coding}");
        let mut cut = bytes_of_hex(body);
        cut.truncate(cut.len() / 2);
        let reason = response_text(name, &cut).unwrap_err();
        assert!(reason.contains("body"), "{coding}: {reason}");
    }
    for (coding, body) in codings["bombs_of_64_MiB"].as_object().unwrap() {
        let reason = response_text(coding, &bytes_of_hex(body)).unwrap_err();
        assert!(reason.contains("more than 16777216 bytes"), "{coding}: {reason}");
    }
}

fn response_text(coding: &str, body: &[u8]) -> Result<String, String> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: {coding}\r\n\r\n");
    let n_bytes = head.len() + body.len();
    let head = format!("WARC/1.0\r\nWARC-Type: response\r\nContent-Length: {n_bytes}\r\n\r\n{head}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.warc");
    fs::write(&path, [head.as_bytes(), body, b"\r\n\r\n"].concat()).unwrap();
    let mut items: Vec<_> = WarcReader::open(&path).unwrap().collect();
    assert_eq!(items.len(), 1);
    items.remove(0).map(|record| record.text).map_err(|problem| problem.reason)
}

#[test]
fn an_archive_may_bring_its_dictionary() {
    for name in ["dictionary.warc.zst", "packed_dictionary.warc.zst"] {
        let records: Vec<_> = WarcReader::open(&golden(name)).unwrap().map(Result::unwrap).collect();
        assert_eq!(records.len(), 5, "{name}");
        assert!(records[4].text.contains("hour 4"), "{name}");
    }
    // Without its first frame the file cannot be read, and the reason says so.
    let bytes = fs::read(golden("dictionary.warc.zst")).unwrap();
    let n_dictionary = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.warc.zst");
    fs::write(&path, &bytes[8 + n_dictionary..]).unwrap();
    let first = WarcReader::open(&path).unwrap().next().unwrap().unwrap_err();
    assert!(first.reason.contains("dictionary"), "{first}");
}

/// Every text in every encoding, with what stands about it in the page.
#[test]
fn every_encoding_is_read_declared_or_not() {
    for row in golden_json("charsets.json").as_array().unwrap() {
        let (name, text) = (row["encoding"].as_str().unwrap(), row["text"].as_str().unwrap());
        let bytes = bytes_of_hex(&row["hex"]);
        let http = |label| Hints { http_charset: Some(label), url: "" };
        let undeclared = decode_text(&bytes, Hints::default());
        assert_eq!(undeclared.0, text, "{name} undeclared, read as {}", undeclared.1);
        // UTF-16 is named without its byte order in the wild.
        let label = if name.starts_with("utf-16") { "utf-16" } else { name };
        assert_eq!(decode_text(&bytes, http(label)).0, text, "{name} by its HTTP header");
        for wrong in ["utf-8", "no-such-encoding"] {
            assert_eq!(decode_text(&bytes, http(wrong)).0, text, "{name} declared as {wrong}");
        }
        if !name.starts_with("utf-16") {
            let page = |head: &str| [head.as_bytes(), b"<p>", &bytes].concat();
            for head in [
                format!("<html><head><META CHARSET='{name}'>"),
                format!("<meta http-equiv=Content-Type content=\"text/html; charset={name}\">"),
                format!("<?xml version=\"1.0\" encoding=\"{name}\"?><html>"),
            ] {
                let (html, used) = decode_html(&page(&head), Hints::default());
                assert_eq!(html, format!("{head}<p>{text}"), "{name} by {head}, read as {used}");
            }
        }
    }
}

#[test]
fn latin1_from_the_server_does_not_overrule_other_scripts() {
    for row in golden_json("charsets.json").as_array().unwrap() {
        let name = row["encoding"].as_str().unwrap();
        if ["shift_jis", "gbk", "euc-kr", "koi8-r", "utf-8"].contains(&name) {
            let hints = Hints { http_charset: Some("iso-8859-1"), url: "" };
            assert_eq!(decode_text(&bytes_of_hex(&row["hex"]), hints).0, row["text"].as_str().unwrap(), "{name}");
        }
    }
}

#[test]
fn text_files_are_read_in_every_encoding_and_say_which() {
    for row in golden_json("charsets.json").as_array().unwrap() {
        let (name, text) = (row["encoding"].as_str().unwrap(), row["text"].as_str().unwrap());
        let bytes = bytes_of_hex(&row["hex"]);
        let reading = read_file("a.txt", &bytes);
        assert_eq!(reading.documents[0].text, text, "{name}");
        let charset = reading.documents[0].metadata.get("charset").map(|name| name.as_str().unwrap().to_lowercase());
        // KOI8-U is KOI8-R with four more Ukrainian letters.
        let expected = name.replace("utf-16-", "utf-16").replace("koi8-r", "koi8-u");
        let expected = Some(expected).filter(|name| name != "utf-8");
        assert_eq!(charset, expected, "{name}");
        if let Some(mark) = name.strip_prefix("utf-16-") {
            let mark: &[u8] = if mark == "le" { b"\xff\xfe" } else { b"\xfe\xff" };
            assert_eq!(read_file("a.txt", &[mark, &bytes].concat()).documents[0].text, text, "{name} with its mark");
        }
    }
}

/// A large file is decoded in pieces: no character is lost where one ends, and the encoding may show late.
#[test]
fn large_files_in_other_encodings_lose_nothing_at_the_cuts() {
    for row in golden_json("charsets.json").as_array().unwrap() {
        let (name, text) = (row["encoding"].as_str().unwrap(), row["text"].as_str().unwrap());
        let bytes = bytes_of_hex(&row["hex"]);
        let n = 5_000_000 / bytes.len();
        let reading = read_file("a.txt", &bytes.repeat(n));
        assert!(reading.documents.len() > 2, "{name}");
        let joined: String = reading.documents.iter().map(|document| document.text.as_str()).collect();
        assert!(joined == text.repeat(n), "{name}: pieces do not add up");
    }
}

#[test]
fn every_format_may_be_compressed_and_a_wrong_name_does_not_matter() {
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
    let cases: [(&str, &[u8], &str); 4] = [
        ("a.txt", b"one two three", "one two three"),
        ("a.html", b"<main><p>one two three</p></main>", "one two three"),
        ("a.jsonl", b"{\"text\":\"one\"}\n{\"text\":\"two\"}", "one"),
        ("a.warc", b"WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: 3\r\n\r\none\r\n\r\n", "one"),
    ];
    for (name, bytes, first) in cases {
        let two_members = |pack: &dyn Fn(&[u8]) -> Vec<u8>| [pack(&bytes[..9]), pack(&bytes[9..])].concat();
        let files = [
            (format!("{name}.gz"), gzip(bytes)),
            (format!("{name}.zst"), zstd(bytes)),
            (format!("{name}.gz"), two_members(&gzip)),
            (format!("{name}.zst"), two_members(&zstd)),
            (name.to_owned(), zstd(bytes)),
            (format!("{name}.gz"), zstd(bytes)),
            (format!("{name}.gz"), bytes.to_vec()),
        ];
        for (name, bytes) in files {
            let reading = read_file(&name, &bytes);
            assert_eq!(reading.documents[0].text, first, "{name}");
            assert_eq!(reading.skipped.count, 0, "{name}: {:?}", reading.skipped);
        }
    }
    // An archive under another name is an archive.
    assert_eq!(read_file("a.txt", cases[3].1).documents[0].text, "one");
}

#[test]
fn damage_in_a_packed_file_costs_its_member_and_is_reported() {
    let line = |n: usize| format!("{{\"text\":\"the text {n} {}\"}}\n", "and so on ".repeat(n * 7));
    let gzip = |text: String| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = |text: String| {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.include_checksum(true).unwrap();
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    // A skippable frame, as parallel compressors write, carries nothing and is no damage.
    let skippable = [&b"\x50\x2a\x4d\x18\x03\0\0\0"[..], b"abc"].concat();
    type Pack<'a> = &'a dyn Fn(String) -> Vec<u8>;
    let packers: [(&str, Pack<'_>, &[u8]); 2] = [("a.jsonl.gz", &gzip, b""), ("a.jsonl.zst", &zstd, &skippable)];
    for (name, pack, between) in packers {
        let members: Vec<Vec<u8>> = (0..5).map(|n| [&pack(line(n))[..], between].concat()).collect();
        let whole = read_file(name, &members.concat());
        assert_eq!((whole.documents.len(), whole.skipped.count), (5, 0), "{name}: {:?}", whole.skipped);
        let start = members[0].len() + members[1].len();
        for at in 0..members[2].len() - between.len() {
            let mut file = members.concat();
            file[start + at] ^= 0x55;
            let reading = read_file(name, &file);
            for n in [0, 1, 3, 4] {
                let text = format!("the text {n} ");
                assert!(
                    reading.documents.iter().any(|d| d.text.starts_with(&text)),
                    "{name} at {at}: line {n} is lost"
                );
            }
            let has_lost = !reading.documents.iter().any(|document| document.text == whole.documents[2].text);
            assert!(!has_lost || reading.skipped.count > 0, "{name} at {at}: lost without a word");
            assert!(reading.documents.len() <= 5, "{name} at {at}: a damaged line is kept");
        }
        let mut cut = members.concat();
        cut.truncate(start + members[2].len() / 2);
        let reading = read_file(name, &cut);
        assert_eq!((reading.documents.len(), reading.skipped.count), (2, 1), "{name}: {:?}", reading.skipped);
    }
}

/// A whole line whose member has a wrong checksum is not trusted; the lines beside it are.
#[test]
fn a_line_under_a_wrong_checksum_is_not_kept() {
    let gzip = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let mut spoilt = gzip("{\"text\":\"spoilt\"}");
    let n = spoilt.len();
    spoilt[n - 8] ^= 1; // the first byte of the CRC-32
    let file = [gzip("{\"text\":\"before\"}\n"), spoilt, gzip("{\"text\":\"after\"}\n")].concat();
    let reading = read_file("a.jsonl.gz", &file);
    let texts: Vec<&str> = reading.documents.iter().map(|document| document.text.as_str()).collect();
    assert_eq!(texts, ["before", "after"]);
    assert_eq!((reading.skipped.count, reading.skipped.first[0].offset), (1, 18), "{:?}", reading.skipped);
}
