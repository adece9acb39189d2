//! Files of documents: JSON lines, plain text, Parquet.

use std::path::Path;

use corpus::read::{Record, Skipped, list};
use corpus::{Document, read_jsonl, write_jsonl};

use crate::with_file;

/// Every line that is not blank is a document or is reported; what was read and written is read again.
pub fn jsonl(bytes: &[u8]) {
    let reading = with_file("x.jsonl", bytes, |path| read_jsonl(path).unwrap());
    if !is_packed(bytes) {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let n_lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count();
        assert_eq!(reading.documents.len() + reading.skipped.count, n_lines);
    }
    let again = with_file("x.jsonl", b"", |path| {
        write_jsonl(path, &reading.documents).unwrap();
        read_jsonl(path).unwrap()
    });
    assert_eq!(again.skipped.count, 0, "{:?}", again.skipped.first);
    let texts = |documents: &[Document]| documents.iter().map(|d| (d.id.clone(), d.text.clone())).collect::<Vec<_>>();
    assert_eq!(texts(&again.documents), texts(&reading.documents));
}

/// A text file is one document with the file's text, or is reported.
pub fn text(bytes: &[u8]) {
    let records = with_file("x.md", bytes, records);
    assert!(records.len() <= 1 || is_packed(bytes), "{records:?}");
    let (Ok(text), [Ok(record)]) = (std::str::from_utf8(bytes), &records[..]) else { return };
    let is_plain = !is_packed(bytes) && !bytes.starts_with(b"WARC/1.") && !text.contains(['\0', '\x1b', '\u{FEFF}']);
    if is_plain {
        assert_eq!(record.document.text, text);
    }
}

/// A table is read to its end or refused, whatever its bytes say.
pub fn parquet(bytes: &[u8]) {
    for record in with_file("x.parquet", bytes, records).into_iter().flatten() {
        assert!(record.extract().is_ok_and(|document| !document.text.trim().is_empty()));
    }
}

fn records(path: &Path) -> Vec<Result<Record, Skipped>> {
    let listing = list(&[path.to_owned()]).unwrap();
    listing.files[0].records().map(Iterator::collect).unwrap_or_default()
}

/// Whether the bytes begin like gzip or zstd.
fn is_packed(bytes: &[u8]) -> bool {
    let begins = |magic: &[u8]| bytes.starts_with(magic);
    begins(&[0x1f, 0x8b]) || begins(&[0x28, 0xb5, 0x2f, 0xfd]) || bytes.first().is_some_and(|byte| byte & 0xf0 == 0x50)
}
