//! Reading folders: every format, every way in which files go wrong, and no document lost beside a bad one.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use corpus::read::{FileKind, ReadError, Reading, Skips, list, read_folder, read_jsonl, write_jsonl};
use corpus::warc::WarcWriter;
use corpus::{Document, extract_warc};
use proptest::prelude::*;
use tempfile::TempDir;

const PROSE: &str = "The ferry to Aldmoor leaves at nine and crosses the bay in an hour.";

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}

fn ids(reading: &Reading) -> Vec<&str> {
    reading.documents.iter().map(|document| document.id.as_str()).collect()
}

fn reasons(skipped: &Skips) -> Vec<(String, u64, &str)> {
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    skipped.first.iter().map(|skipped| (name(&skipped.file), skipped.offset, skipped.reason.as_str())).collect()
}

#[test]
fn every_format_is_read_in_the_order_of_names() {
    let html = format!("<nav>Menu</nav><main><p>{PROSE}</p></main>");
    let files = folder(&[
        ("b/2.md", b"# Two"),
        ("b/1.txt", b"one"),
        ("a.HTML", html.as_bytes()),
        ("c.jsonl", b"{\"text\":\"first\",\"id\":\"x7\",\"url\":\"https://a.example\",\"score\":3}\n\n{\"text\":\"second\"}\n{\"text\":\"third\",\"id\":9,\"url\":null}"),
        ("z.png", b"\x89PNG"),
        (".hidden.txt", b"unseen"),
    ]);
    let mut writer = WarcWriter::create(&files.path().join("d.warc.gz")).unwrap();
    writer.write_response("https://b.example/", "urn:page:1", &html).unwrap();
    writer.finish().unwrap();

    let reading = read_folder(files.path()).unwrap();
    assert_eq!(ids(&reading), ["a.HTML", "b/1.txt", "b/2.md", "x7", "c.jsonl#3", "9", "urn:page:1"]);
    let texts: Vec<&str> = reading.documents.iter().map(|document| document.text.as_str()).collect();
    assert_eq!(texts, [PROSE, "one", "# Two", "first", "second", "third", PROSE]);
    assert_eq!(reading.documents[3].url, "https://a.example");
    assert_eq!(reading.documents[3].metadata["score"], 3);
    assert_eq!(reading.documents[5].url, "");
    assert_eq!(reading.documents[6].url, "https://b.example/");
    assert_eq!(reading.skipped, Skips::default());
}

#[test]
fn one_file_is_a_corpus_too() {
    let files = folder(&[("only.txt", b"text")]);
    let reading = read_folder(&files.path().join("only.txt")).unwrap();
    assert_eq!(ids(&reading), ["only.txt"]);
}

#[test]
fn rustdoc_pages_have_their_own_extractor() {
    let page = "<html><head><meta name=\"generator\" content=\"rustdoc\"></head><body><div>Crate list</div>\
                <section id=\"main-content\"><h1>Struct Pail</h1><p>Holds water.</p></section></body></html>";
    let reading = read_folder(folder(&[("struct.Pail.html", page.as_bytes())]).path()).unwrap();
    assert_eq!(reading.documents[0].text, "# Struct Pail\n\nHolds water.");
}

#[test]
fn bad_lines_are_skipped_with_line_and_offset() {
    let lines = b"{\"text\":\"a\"}\n{\"text\": 5}\n{\"title\":\"no text\"}\n{\"text\":\"b\"}\n\xff\xfe\n{\"text\":\"  \"}\n{\"text\":\"cut";
    let files = folder(&[("x.jsonl", lines)]);
    let reading = read_folder(files.path()).unwrap();
    assert_eq!(ids(&reading), ["x.jsonl#1", "x.jsonl#4"]);
    assert_eq!(reading.skipped.count, 5);
    let skipped = reasons(&reading.skipped);
    let offset_of_line =
        |n: usize| lines.split_inclusive(|byte| *byte == b'\n').take(n - 1).map(|line| line.len() as u64).sum::<u64>();
    let offsets: Vec<u64> = skipped.iter().map(|(_, offset, _)| *offset).collect();
    assert_eq!(offsets, [2, 3, 5, 6, 7].map(offset_of_line));
    assert!(skipped[0].2.starts_with("line 2:"), "{skipped:?}");
    assert!(skipped[1].2.contains("text"), "{skipped:?}");
    assert!(skipped[3].2.contains("empty"), "{skipped:?}");
}

#[test]
fn damaged_and_unwanted_warc_records_are_counted() {
    let response = |status: &str, kind: &str, body: &str| {
        let block = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n\r\n{body}");
        format!(
            "WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:{}>\r\nContent-Length: {}\r\n\r\n{block}\r\n\r\n",
            status.len(),
            block.len()
        )
    };
    let first = response("404 Not Found", "text/html", "<p>gone</p>");
    let second = response("200 OK", "image/png", "png");
    let third = response("200 OK", "text/html", &format!("<p>{PROSE}</p>"));
    let fourth = response("200 OK", "text/html", "<nav>only a menu</nav>");
    let cut = "WARC/1.0\r\nWARC-Type: response\r\nContent-Length: 999\r\n\r\nHTTP/1.1 200";
    let file = [first.as_str(), &second, &third, &fourth, cut].concat();
    let reading = read_folder(folder(&[("x.warc", file.as_bytes())]).path()).unwrap();
    assert_eq!(reading.documents.len(), 1);
    let skipped = reasons(&reading.skipped);
    let at = |n: usize| [&first, &second, &third, &fourth][..n].iter().map(|r| r.len() as u64).sum::<u64>();
    assert_eq!(skipped.len(), 4);
    for (offset, word) in [(0, "404"), (at(1), "image/png"), (at(3), "no text"), (at(4), "truncated")] {
        assert!(
            skipped.iter().any(|(file, o, reason)| file == "x.warc" && *o == offset && reason.contains(word)),
            "{word}: {skipped:?}"
        );
    }
}

#[test]
fn a_warc_record_without_id_is_named_by_its_place() {
    let record = |header: &str, text: &str| {
        let n_bytes = text.len();
        format!("WARC/1.0\r\nWARC-Type: conversion\r\n{header}Content-Length: {n_bytes}\r\n\r\n{text}\r\n\r\n")
    };
    let first = record("WARC-Record-ID: <urn:1>\r\n", "one");
    let file = [first.as_str(), &record("", "two"), &record("WARC-Record-ID:\r\n", "three")].concat();
    let files = folder(&[("sub/x.warc", file.as_bytes())]);
    let third = first.len() + record("", "two").len();
    let reading = read_folder(files.path()).unwrap();
    assert_eq!(
        ids(&reading),
        ["urn:1".to_owned(), format!("sub/x.warc#{}", first.len()), format!("sub/x.warc#{third}")]
    );
    let extracted = extract_warc(&files.path().join("sub/x.warc"), &|_, _, _| ()).unwrap();
    assert_eq!(extracted.documents[1].id, format!("x.warc#{}", first.len()));
}

#[test]
fn both_ways_from_warc_to_documents_agree_about_types() {
    let record = |kind: &str, media_type: &str, text: &str| {
        let n_bytes = text.len();
        format!(
            "WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <{media_type}>\r\nContent-Type: {media_type}\r\n\
             Content-Length: {n_bytes}\r\n\r\n{text}\r\n\r\n"
        )
    };
    let plain = "if a <b> c, then it is no tag";
    let file = [
        record("resource", "text/html", &format!("<p>{PROSE}</p>")),
        record("resource", "text/plain", plain),
        record("resource", "image/png", "png"),
        record("conversion", "application/x", plain),
    ]
    .concat();
    let files = folder(&[("x.warc", file.as_bytes())]);
    let reading = read_folder(files.path()).unwrap();
    let extracted = extract_warc(&files.path().join("x.warc"), &|_, _, _| ()).unwrap();
    assert_eq!(extracted.documents, reading.documents);
    let texts: Vec<&str> = reading.documents.iter().map(|document| document.text.as_str()).collect();
    assert_eq!(texts, [PROSE, plain, plain]);
    let reason = "its type is image/png, not HTML or text";
    assert_eq!(reasons(&reading.skipped)[0].2, reason);
    assert_eq!(extracted.report.reasons.iter().collect::<Vec<_>>(), [(&reason.to_owned(), &1)]);
}

#[test]
fn a_byte_order_mark_before_the_first_line_is_no_text() {
    let lines = b"\xef\xbb\xbf{\"text\":\"a\"}\nbad\n";
    let reading = read_folder(folder(&[("x.jsonl", lines), ("y.jsonl", b"\xef\xbb\xbf\n")]).path()).unwrap();
    assert_eq!(ids(&reading), ["x.jsonl#1"]);
    assert_eq!(reading.skipped.count, 1);
    assert_eq!(reasons(&reading.skipped)[0].1, 16, "the mark counts in the offset");
}

#[test]
fn a_few_bad_bytes_are_damage_and_many_are_no_text() {
    let damaged = ["café ".repeat(20).as_bytes(), b"\xff"].concat();
    let files = folder(&[
        ("a.txt", &damaged),
        ("b.txt", b"\x00\x01\x02\x03 binary \x00\x00\xfe\x07"),
        ("c.txt", b"\xef\xbb\xbfmarked"),
        ("d.txt", b" \n"),
        ("e.txt", b"\xc3\xa0 cut off in a charact\xc3"),
    ]);
    let reading = read_folder(files.path()).unwrap();
    assert_eq!(ids(&reading), ["a.txt", "c.txt", "e.txt"]);
    assert!(reading.documents[0].text.ends_with("café \u{fffd}"));
    assert_eq!(reading.documents[1].text, "marked");
    assert_eq!(reading.documents[2].text, "à cut off in a charact\u{fffd}");
    let skipped = reasons(&reading.skipped);
    assert!(skipped[0].2.contains("not text"), "{skipped:?}");
    assert_eq!(reading.skipped.count, 2);
}

#[test]
fn large_text_is_cut_into_pieces_and_nothing_is_lost() {
    let paragraph = format!("{}\n\n", PROSE.repeat(100));
    let by_paragraphs = paragraph.repeat(500);
    // Without any line end, and with characters of three bytes across every cut.
    let one_line = "€uro".repeat(1_000_000);
    for (text, n_least) in [(by_paragraphs, 3), (one_line, 3)] {
        let reading = read_folder(folder(&[("big.txt", text.as_bytes())]).path()).unwrap();
        assert!(reading.documents.len() >= n_least, "{}", reading.documents.len());
        assert_eq!(reading.documents[1].id, "big.txt#2");
        let joined: String = reading.documents.iter().map(|document| document.text.as_str()).collect();
        assert!(joined == text, "pieces do not add up");
        assert_eq!(reading.skipped.count, 0);
    }
}

#[test]
fn what_is_missing_is_named() {
    let error = read_folder(Path::new("/no/such/corpus")).unwrap_err();
    assert!(matches!(error, ReadError::Missing { .. }));
    assert!(error.to_string().contains("/no/such/corpus"), "{error}");

    let files = folder(&[("a.png", b"x"), ("b.csv", b"y")]);
    let error = read_folder(files.path()).unwrap_err();
    assert!(matches!(error, ReadError::NoReadableFiles { n_other: 2, .. }), "{error}");
    assert!(error.to_string().contains(".warc.gz"), "{error}");

    let error = read_folder(folder(&[]).path()).unwrap_err();
    assert!(matches!(error, ReadError::NoReadableFiles { n_other: 0, .. }), "{error}");
}

#[test]
fn a_corpus_without_documents_says_why() {
    let error = read_folder(folder(&[("a.jsonl", b"oops\n"), ("b.txt", b"")]).path()).unwrap_err();
    let ReadError::Empty { n_files: 2, skipped, .. } = &error else { panic!("{error}") };
    assert_eq!(skipped.count, 1);
    assert!(error.to_string().contains("line 1"), "{error}");
}

#[cfg(unix)]
#[test]
fn links_are_followed_but_not_in_circles() {
    let files = folder(&[("corpus/a.txt", b"one"), ("elsewhere/b.txt", b"two")]);
    let link = |target: &str, name: &str| {
        std::os::unix::fs::symlink(files.path().join(target), files.path().join(name)).unwrap()
    };
    link("corpus", "corpus/loop");
    link("elsewhere", "corpus/other");
    link("nowhere", "corpus/broken.txt");
    let reading = read_folder(&files.path().join("corpus")).unwrap();
    assert_eq!(ids(&reading), ["a.txt", "other/b.txt"]);
    assert_eq!(reading.skipped.count, 1, "{:?}", reading.skipped);
    assert_eq!(reasons(&reading.skipped)[0].0, "broken.txt");
}

#[test]
fn only_the_first_skips_are_kept_and_all_are_counted() {
    let lines = "bad\n".repeat(Skips::MAX_KEPT + 50) + "{\"text\":\"good\"}\n";
    let reading = read_folder(folder(&[("a.jsonl", lines.as_bytes())]).path()).unwrap();
    assert_eq!((reading.skipped.count, reading.skipped.first.len()), (Skips::MAX_KEPT + 50, Skips::MAX_KEPT));
    assert_eq!(reading.documents.len(), 1);
}

#[test]
fn a_failed_write_leaves_the_old_file() {
    let files = folder(&[("docs.jsonl/child", b"a folder has the name")]);
    let documents = [Document::new("1", "", "x")];
    let error = write_jsonl(&files.path().join("docs.jsonl"), &documents).unwrap_err();
    assert!(error.to_string().contains("docs.jsonl"), "{error}");
    let names: Vec<_> = fs::read_dir(files.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["docs.jsonl"], "no temporary file is left");
}

fn documents() -> impl Strategy<Value = Vec<Document>> {
    let text = any::<String>().prop_filter("documents have text", |text| !text.trim().is_empty());
    let document = (1u32.., any::<String>(), text).prop_map(|(id, url, text)| Document::new(id.to_string(), url, text));
    prop::collection::vec(document, 0..20)
}

proptest! {
    #[test]
    fn jsonl_is_read_back_as_written(documents in documents()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/docs.jsonl");
        write_jsonl(&path, &documents).unwrap();
        let reading = read_jsonl(&path).unwrap();
        prop_assert_eq!(reading.documents, documents);
        prop_assert_eq!(reading.skipped.count, 0);
    }

    #[test]
    fn a_jsonl_file_cut_anywhere_gives_every_whole_line(documents in documents(), cut in 0usize..4_000) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docs.jsonl");
        write_jsonl(&path, &documents).unwrap();
        let bytes = fs::read(&path).unwrap();
        let cut = cut.min(bytes.len());
        fs::write(&path, &bytes[..cut]).unwrap();
        let n_lines = bytes[..cut].iter().filter(|byte| **byte == b'\n').count();
        let reading = read_jsonl(&path).unwrap();
        // A cut just before a line's end takes nothing of the line.
        let ends_whole = bytes.get(cut) == Some(&b'\n');
        prop_assert_eq!(reading.documents.len(), n_lines + usize::from(ends_whole));
        prop_assert_eq!(&reading.documents[..], &documents[..reading.documents.len()]);
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), name in prop::sample::select(vec!["a.txt", "a.md", "a.html", "a.jsonl", "a.warc", "a.warc.gz", "a.txt.gz", "a.jsonl.zst", "a.parquet"])) {
        match read_folder(folder(&[(name, &bytes)]).path()) {
            Ok(reading) => prop_assert!(!reading.documents.is_empty()),
            Err(error) => prop_assert!(matches!(error, ReadError::Empty { .. }), "{}", error),
        }
    }
}

#[test]
fn several_paths_give_unique_ids_in_a_fixed_order_and_no_file_twice() {
    let files = folder(&[("a/x/1.txt", b"one"), ("a/x/2.txt", b"two"), ("b/x/1.txt", b"three"), ("c.json.gz", b"{}")]);
    let path = |name: &str| files.path().join(name);
    let listing = list(&[path("b/x"), path("a/x"), path("a/x/2.txt"), path("c.json.gz")]).unwrap();
    let listed: Vec<(&str, u64)> = listing.files.iter().map(|file| (file.id.as_str(), file.n_bytes)).collect();
    assert_eq!(listed, [("x/1.txt", 5), ("x/1.txt~2", 3), ("x/2.txt", 3), ("c.json.gz", 2)]);
    assert_eq!(listing.files[3].kind, FileKind::Jsonl);
    let error = list(&[path("a"), path("nowhere")]).unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
}

#[test]
fn what_a_page_says_about_itself_is_kept() {
    let page = format!(
        "<html><head><title>The  ferry</title><meta name=robots content=noindex>\
         <link rel=license href=\"https://creativecommons.org/licenses/by/4.0/\"></head><main><p>{PROSE}</p></main></html>"
    );
    let reading = read_folder(folder(&[("a.html", page.as_bytes()), ("b.txt", b"text")]).path()).unwrap();
    let metadata = &reading.documents[0].metadata;
    assert_eq!(metadata["title"], "The ferry");
    assert_eq!(metadata["robots"], "noindex");
    assert_eq!(metadata["licence"], "https://creativecommons.org/licenses/by/4.0/");
    assert!(reading.documents[1].metadata.is_empty());
}
