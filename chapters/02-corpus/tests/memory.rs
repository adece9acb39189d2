//! A record of a gigabyte costs a record, and not a gigabyte: an allocator that counts watches the readers.
//!
//! The files are sparse or compressed zeros, so that the test needs little disk. The zstd library allocates in C, unseen
//! from here; on Linux the process's peak says the same about it.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use corpus::read::{Skips, list};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const GIB: u64 = 1 << 30;
const MAX_PEAK_BYTES: usize = 100 << 20;

/// `head`, then a gigabyte of zeros that takes no room on disk, then `tail`.
fn write_sparse(path: &Path, head: &[u8], tail: &[u8]) {
    let mut file = File::create(path).unwrap();
    file.write_all(head).unwrap();
    file.seek(SeekFrom::Current(GIB as i64)).unwrap();
    file.write_all(tail).unwrap();
}

/// The same with the zeros in gzip members of 64 MiB.
fn gzip_bomb(head: &[u8], tail: &[u8]) -> Vec<u8> {
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let zeros = gzip(&vec![0; 64 << 20]).repeat(16);
    [gzip(head), zeros, gzip(tail)].concat()
}

fn zstd_bomb(head: &[u8], tail: &[u8]) -> Vec<u8> {
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
    let zeros = zstd(&vec![0; 64 << 20]).repeat(16);
    [zstd(head), zeros, zstd(tail)].concat()
}

/// Reads the file as a stream and keeps nothing: the documents, the skips, and the greatest growth of the heap.
fn read(path: &Path) -> (Vec<String>, Skips, usize) {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let mut texts = Vec::new();
    let mut skips = Skips::default();
    for file in list(&[path.to_owned()]).unwrap().files {
        for record in file.records().unwrap() {
            match record.and_then(|record| record.extract()) {
                Ok(document) => texts.push(document.text),
                Err(skipped) => skips.add(skipped),
            }
        }
    }
    (texts, skips, ALLOCATOR.peak_usage() - before)
}

/// One test, since the count is of the whole process.
#[test]
fn a_gigabyte_in_one_record_does_not_fill_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let warc = |length: u64| format!("WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: {length}\r\n\r\n");
    let after = format!("\r\n\r\n{}after\r\n\r\n", warc(5));
    let (huge, after) = (warc(GIB), after.as_bytes());
    let line_after = b"\"}\n{\"text\":\"after\"}\n";

    write_sparse(&path("length.warc"), huge.as_bytes(), after);
    write_sparse(&path("page.html"), b"<p>", b"\n");
    fs::write(path("length.warc.gz"), gzip_bomb(huge.as_bytes(), after)).unwrap();
    fs::write(path("length.warc.zst"), zstd_bomb(huge.as_bytes(), after)).unwrap();
    fs::write(path("header.warc.zst"), zstd_bomb(b"WARC/1.0\r\nX: ", after)).unwrap();
    fs::write(path("line.jsonl.zst"), zstd_bomb(b"{\"text\":\"", line_after)).unwrap();
    fs::write(path("text.txt.zst"), zstd_bomb(b"", b"")).unwrap();
    fs::write(path("page.html.gz"), gzip_bomb(b"<p>", b"")).unwrap();

    for name in ["length.warc", "length.warc.gz", "length.warc.zst", "header.warc.zst", "line.jsonl.zst"] {
        let (texts, skips, peak_bytes) = read(&path(name));
        assert!(peak_bytes < MAX_PEAK_BYTES, "{name}: {peak_bytes} bytes");
        assert_eq!(texts, ["after"], "{name}: {skips:?}");
        assert_eq!((skips.count, skips.first[0].offset), (1, 0), "{name}: {skips:?}");
    }
    for name in ["text.txt.zst", "page.html", "page.html.gz"] {
        let (texts, skips, peak_bytes) = read(&path(name));
        assert!(peak_bytes < MAX_PEAK_BYTES, "{name}: {peak_bytes} bytes");
        assert_eq!(texts.len(), 0, "{name}");
        assert!(skips.count > 0, "{name}");
    }
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let peak_kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(peak_kib < 300 << 10, "{peak_kib} KiB");
    }
}
