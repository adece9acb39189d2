//! Precision and recall of masking by kind, on sentences whose truth is known because they were made.
//!
//! Each sentence holds one piece of personal data in one of its usual forms, or a decoy: something of the same form that
//! belongs to nobody. A second set, of lines written by hand in the forms of many countries, is scored beside
//! presidio-analyzer's recognizers by pattern (`tests/reference/pii_presidio.py`).
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use corpus::pii::{PiiConfig, PiiKind, luhn, mask};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use regex::Regex;
use serde::Deserialize;

fn letters(rng: &mut ChaCha8Rng, alphabet: &str, n: usize) -> String {
    let alphabet: Vec<char> = alphabet.chars().collect();
    (0..n).map(|_| *alphabet.choose(rng).unwrap()).collect()
}

fn digits(rng: &mut ChaCha8Rng, n: usize) -> String {
    letters(rng, "0123456789", n)
}

/// A number with the issuer's first digits whose check digit is right, or wrong by one.
fn card(rng: &mut ChaCha8Rng, start: &str, n: usize, off_by: u8) -> String {
    let body = format!("{start}{}", digits(rng, n - 1 - start.len()));
    let values: Vec<u8> = body.bytes().map(|b| b - b'0').collect();
    let check = (0..10).find(|&d| luhn(&[values.as_slice(), &[d]].concat())).unwrap();
    format!("{body}{}", (check + off_by) % 10)
}

fn grouped(number: &str, separator: &str) -> String {
    number.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group)).collect::<Vec<_>>().join(separator)
}

const ALPHANUMERIC: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

fn planted(kind: PiiKind, rng: &mut ChaCha8Rng) -> String {
    let form = rng.random_range(0..4);
    match kind {
        PiiKind::Email => {
            let name = letters(rng, "abcdefghijklmnopqrstuvwxyz", 6);
            let host = letters(rng, "abcdefghijklmnopqrstuvwxyz", 5);
            [
                format!("{name}@{host}.org"),
                format!("{name}.x+news@{host}.co.uk"),
                format!("{name}_7@mail.{host}.com"),
                format!("{}@{host}.de", name.to_uppercase()),
            ][form]
                .clone()
        }
        PiiKind::Phone => {
            let (a, b, c) = (rng.random_range(200..999), rng.random_range(200..999), rng.random_range(3000..9999));
            [format!("({a}) {b}-{c}"), format!("{a}-{b}-{c}"), format!("+1 {a} {b} {c}"), format!("+49 30 {b}{a}")]
                [form]
                .clone()
        }
        PiiKind::Ip => match form {
            0 => format!("2606:4700::{:x}", rng.random_range(16..65_535)),
            1 => format!("2a00:1450:4001:{:x}::200e", rng.random_range(16..65_535)),
            _ => format!(
                "{}.{}.{}.{}",
                rng.random_range(11..99),
                rng.random_range(1..255),
                rng.random_range(0..255),
                rng.random_range(1..255)
            ),
        },
        PiiKind::Card => match form {
            0 => card(rng, "4", 16, 0),
            1 => grouped(&card(rng, "53", 16, 0), " "),
            2 => grouped(&card(rng, "4", 16, 0), "-"),
            _ => card(rng, "37", 15, 0),
        },
        PiiKind::Key => match form {
            0 => format!("AKIA{}", letters(rng, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)),
            1 => format!("ghp_{}", letters(rng, ALPHANUMERIC, 36)),
            2 => format!("xoxb-{}-{}", digits(rng, 12), letters(rng, ALPHANUMERIC, 24)),
            _ => format!(
                "eyJ{}.eyJ{}.{}",
                letters(rng, ALPHANUMERIC, 20),
                letters(rng, ALPHANUMERIC, 40),
                letters(rng, ALPHANUMERIC, 43)
            ),
        },
    }
}

fn decoy(kind: PiiKind, rng: &mut ChaCha8Rng) -> String {
    let form = rng.random_range(0..3);
    match kind {
        PiiKind::Email => ["user@localhost", "@property", "git@ the host"][form].into(),
        PiiKind::Phone => [
            format!("2024-{}-{}", rng.random_range(10..13), rng.random_range(10..29)),
            format!("{}.{}", digits(rng, 4), digits(rng, 4)),
            format!("pages {}-{}", rng.random_range(100..400), rng.random_range(400..999)),
        ][form]
            .clone(),
        PiiKind::Ip => [
            format!("192.168.{}.7", rng.random_range(0..255)),
            format!("version 4.{}.2.1", rng.random_range(0..99)),
            "std::net::add".into(),
        ][form]
            .clone(),
        PiiKind::Card => {
            [card(rng, "4", 16, 1), grouped(&card(rng, "52", 16, 3), " "), format!("9{}", digits(rng, 15))][form]
                .clone()
        }
        PiiKind::Key => [
            letters(rng, "0123456789abcdef", 40),
            "key = the_name_of_the_variable".into(),
            format!("AKIA{}", letters(rng, "abcdef", 6)),
        ][form]
            .clone(),
    }
}

#[test]
fn each_kind_is_found_and_its_decoys_are_not() {
    const SENTENCES: [&str; 4] = ["Write to {} soon.", "It was {}, they said.", "See ({}).", "Old: {}\nNew: none"];
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    println!("{:<8} {:>9} {:>9}", "kind", "precision", "recall");
    for kind in PiiKind::ALL {
        let (mut right, mut wrong, mut missed) = (0, 0, 0);
        for i in 0..2000 {
            let sentence = SENTENCES.choose(&mut rng).unwrap();
            let datum = if i % 2 == 0 { planted(kind, &mut rng) } else { decoy(kind, &mut rng) };
            let masked = mask(&sentence.replace("{}", &datum), &PiiConfig::default());
            let found = masked.spans == [datum] && masked.kinds == [kind];
            match (i % 2 == 0, found, masked.spans.is_empty()) {
                (true, true, _) => right += 1,
                (true, false, is_empty) => {
                    missed += 1;
                    wrong += usize::from(!is_empty);
                }
                (false, _, is_empty) => wrong += usize::from(!is_empty),
            }
        }
        let share = |of: usize| f64::from(right) / (f64::from(right) + of as f64);
        println!("{:<8} {:>9.3} {:>9.3}", format!("{kind:?}"), share(wrong), share(missed));
        assert!(share(wrong) >= 0.99, "{kind:?}: {wrong} wrong");
        assert!(share(missed) >= 0.97, "{kind:?}: {missed} missed");
    }
}

/// How many spans of a kind were right and wrong, and how many of the labelled ones were found and missed.
#[derive(Debug, Default, Clone, Deserialize)]
struct Score {
    right: usize,
    wrong: usize,
    found: usize,
    missed: usize,
}

impl Score {
    fn precision(&self) -> f64 {
        self.right as f64 / (self.right + self.wrong) as f64
    }

    fn recall(&self) -> f64 {
        self.found as f64 / (self.found + self.missed) as f64
    }
}

#[derive(Deserialize)]
struct Peer {
    lines: usize,
    scores: BTreeMap<String, Score>,
}

struct Label {
    kind: String,
    is_optional: bool,
    text: String,
}

fn pii_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pii")
}

/// The lines of the set without their labels, and the labels.
fn labelled_lines() -> Vec<(String, Vec<Label>)> {
    let label = Regex::new(r"\[\[(email|phone|ip|card)(\??):(.+?)\]\]").unwrap();
    let lines = fs::read_to_string(pii_folder().join("lines.txt")).unwrap();
    let read = |line: &str| {
        let labels = label.captures_iter(line).map(|found| Label {
            kind: found[1].to_owned(),
            is_optional: &found[2] == "?",
            text: found[3].to_owned(),
        });
        (label.replace_all(line, "$3").into_owned(), labels.collect())
    };
    lines.lines().filter(|line| !line.starts_with('#')).map(read).collect()
}

/// As in the script: a span is right if it touches a label of its kind; a label is found if a span covers all of it.
fn score_lines(lines: &[(String, Vec<Label>)]) -> BTreeMap<String, Score> {
    let mut scores: BTreeMap<String, Score> = BTreeMap::new();
    for (text, labels) in lines {
        let masked = mask(text, &PiiConfig::default());
        for (span, kind) in masked.spans.iter().zip(&masked.kinds) {
            let kind = format!("{kind:?}").to_lowercase();
            let is_touched =
                |label: &&Label| label.kind == kind && (label.text.contains(span) || span.contains(&label.text));
            let touched: Vec<&Label> = labels.iter().filter(is_touched).collect();
            let score = scores.entry(kind.clone()).or_default();
            if touched.is_empty() {
                println!("wrong {kind}: {span}");
                score.wrong += 1;
            } else if touched.iter().any(|label| !label.is_optional) {
                score.right += 1;
            }
        }
        for label in labels.iter().filter(|label| !label.is_optional) {
            let covers = |(span, kind): (&String, &PiiKind)| {
                format!("{kind:?}").to_lowercase() == label.kind && span.contains(&label.text)
            };
            let score = scores.entry(label.kind.clone()).or_default();
            if masked.spans.iter().zip(&masked.kinds).any(covers) {
                score.found += 1;
            } else {
                println!("missed {}: {}", label.kind, label.text);
                score.missed += 1;
            }
        }
    }
    scores
}

#[test]
fn masking_is_at_least_as_right_and_as_complete_as_presidio() {
    let peer: Peer = serde_json::from_str(&fs::read_to_string(pii_folder().join("presidio.json")).unwrap()).unwrap();
    let lines = labelled_lines();
    assert_eq!(lines.len(), peer.lines, "run tests/reference/pii_presidio.py again");
    let scores = score_lines(&lines);
    for (kind, theirs) in &peer.scores {
        let ours = &scores[kind];
        println!(
            "| {kind} | {:.2} | {:.2} | {:.2} | {:.2} |",
            ours.precision(),
            theirs.precision(),
            ours.recall(),
            theirs.recall()
        );
        assert_eq!(ours.found + ours.missed, theirs.found + theirs.missed, "{kind}: the labels are read differently");
        assert!(ours.precision() >= theirs.precision(), "{kind}: {ours:?}, presidio {theirs:?}");
        assert!(ours.recall() >= theirs.recall(), "{kind}: {ours:?}, presidio {theirs:?}");
    }
    assert!(!scores.contains_key("key"), "{scores:?}");
}

/// libphonenumber's example numbers in one form, and how many of them presidio finds.
#[derive(Deserialize)]
struct Form {
    presidio: usize,
    numbers: Vec<String>,
}

#[derive(Deserialize)]
struct Phones {
    sentence: String,
    forms: BTreeMap<String, Form>,
}

/// A number is found if a span covers all of its digits.
fn is_phone_found(number: &str, sentence: &str) -> bool {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let masked = mask(&sentence.replace("{}", number), &PiiConfig::default());
    let mut spans = masked.spans.iter().zip(&masked.kinds);
    spans.any(|(span, kind)| matches!(kind, PiiKind::Phone) && digits(span).contains(&digits(number)))
}

/// The figures of the book: these numbers are those of `tests/reference/pii_phones.py`, and no pattern was made on them.
#[test]
fn as_many_of_the_worlds_example_numbers_are_found_as_the_book_says() {
    let phones: Phones = serde_json::from_str(&fs::read_to_string(pii_folder().join("phones.json")).unwrap()).unwrap();
    // Ours, presidio's, all.
    let found: BTreeMap<&str, [usize; 3]> = phones
        .forms
        .iter()
        .map(|(name, form)| {
            let n_found = form.numbers.iter().filter(|number| is_phone_found(number, &phones.sentence)).count();
            (name.as_str(), [n_found, form.presidio, form.numbers.len()])
        })
        .collect();
    assert_eq!(found, BTreeMap::from([("international", [485, 489, 489]), ("national", [257, 254, 489])]));
}
