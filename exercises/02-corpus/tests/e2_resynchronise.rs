//! Tests of exercise 02.2.

use ex_corpus::e2_resynchronise::{Found, SEPARATOR, START, records};

fn record_of_length(length: &str, block: &str) -> Vec<u8> {
    [START, length.as_bytes(), SEPARATOR, block.as_bytes(), SEPARATOR].concat()
}

fn record(block: &str) -> Vec<u8> {
    record_of_length(&block.len().to_string(), block)
}

fn found(blocks: &[&str], damaged: &[usize]) -> Found {
    Found { blocks: blocks.iter().map(|block| block.as_bytes().to_vec()).collect(), damaged: damaged.to_vec() }
}

#[test]
fn a_sound_archive_gives_every_block() {
    assert_eq!(records(b""), found(&[], &[]));
    let blocks = ["hello", "", "two\r\n\r\nlines", "WARC/1.0 is a version"];
    let archive = blocks.map(record).concat();
    assert_eq!(records(&archive), found(&blocks, &[]));
    // A block may hold a whole record; a sound length says that it is a block.
    let nested = String::from_utf8_lossy(&[b"\n", &record("inner")[..]].concat()).into_owned();
    assert_eq!(records(&record(&nested)), found(&[&nested], &[]));
}

#[test]
fn a_wrong_length_costs_its_record_and_no_other() {
    let (first, last) = (record("first"), record("last"));
    for length in ["4", "6", "9", "40", "4000", "99999999999999999999999", "18446744073709551615", "", "-5", "five"] {
        let archive = [&first[..], &record_of_length(length, "hello"), &last, &last].concat();
        assert_eq!(records(&archive), found(&["first", "last", "last"], &[first.len()]), "length {length:?}");
    }
}

#[test]
fn a_record_inside_a_torn_one_is_found() {
    // The crawler died within the first record and was started again.
    let torn = &record(&"x".repeat(300))[..150];
    let archive = [torn, b"\n", &record("next")].concat();
    assert_eq!(records(&archive), found(&["next"], &[0]));
}

#[test]
fn a_start_counts_at_the_beginning_of_a_line_only() {
    let quote = format!("see {}", String::from_utf8_lossy(&record("quoted")));
    let archive = [&record_of_length("7", &quote)[..], &record("last")].concat();
    assert_eq!(records(&archive), found(&["last"], &[0]));
}

#[test]
fn an_archive_cut_anywhere_gives_what_is_whole() {
    let (first, second) = (record("first"), record("second"));
    let archive = [&first[..], &second].concat();
    for cut in 0..archive.len() {
        let expected = match cut {
            0 => found(&[], &[]),
            _ if cut < first.len() => found(&[], &[0]),
            _ if cut == first.len() => found(&["first"], &[]),
            _ => found(&["first"], &[first.len()]),
        };
        assert_eq!(records(&archive[..cut]), expected, "cut at {cut}");
    }
}

#[test]
fn rubbish_is_one_damaged_record() {
    assert_eq!(records(b"no archive at all\n\xff\xfe"), found(&[], &[0]));
    let archive = [b"rubbish\n", &record("after")[..]].concat();
    assert_eq!(records(&archive), found(&["after"], &[0]));
}
