//! Extraction on the labelled pages: how much of the main text comes out, and how little else, beside other extractors.
//!
//! The peers' figures come from `tests/reference/extraction_peers.py`, which also says what is counted and how.
#![allow(clippy::unwrap_used)]

#[path = "extraction/score.rs"]
mod score;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use corpus::html::extract;
use corpus::rustdoc::{RustDocs, extract_page};
use serde::Deserialize;
use serde_json::Value;

const SETS: [&str; 2] = ["dev", "test"];
/// Kinds where a peer was better than we are when the figures were made. Nothing may join them unseen.
const BEHIND: [(&str, &str); 0] = [];
/// The stored figures have four digits.
const ROUNDING: f64 = 1e-4;

fn labels() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/extraction")
}

/// Figures by set, kind and extractor.
#[derive(Deserialize)]
struct Figures {
    f1: BTreeMap<String, BTreeMap<String, BTreeMap<String, f64>>>,
    code: BTreeMap<String, BTreeMap<String, f64>>,
    scoring: Vec<(String, String, f64)>,
}

fn figures() -> Figures {
    serde_json::from_str(&fs::read_to_string(labels().join("peers.json")).unwrap()).unwrap()
}

/// A page that we wrote, and its main text.
struct Authored {
    kind: String,
    name: String,
    html: String,
    truth: String,
}

fn authored(set: &str) -> Vec<Authored> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(labels().join("pages").join(set)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "html"));
    paths.sort();
    let read = |path: &PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        Authored {
            kind: name.split('-').next().unwrap().to_owned(),
            name,
            html: fs::read_to_string(path).unwrap(),
            truth: fs::read_to_string(path.with_extension("txt")).unwrap(),
        }
    };
    paths.iter().map(read).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Our figure must be at least the stored one, and at least the best peer's.
fn assert_level(stored: &Figures, set: &str, kind: &str, scores: &[f64]) {
    let ours = mean(scores);
    let stored = &stored.f1[set][kind];
    assert_eq!(scores.len() as f64, stored["pages"], "{set} {kind}: run tests/reference/extraction_peers.py again");
    assert!(ours >= stored["ours"] - ROUNDING, "{set} {kind}: F1 {ours:.4} is below {}", stored["ours"]);
    for (peer, f1) in stored.iter().filter(|(name, _)| !matches!(name.as_str(), "ours" | "pages")) {
        let is_excused = BEHIND.contains(&(set, kind));
        assert!(is_excused || ours >= f1 - ROUNDING, "{set} {kind}: F1 {ours:.4} is below {f1} of {peer}");
    }
}

#[test]
fn the_score_is_the_one_that_the_peers_were_given() {
    for (text, truth, f1) in figures().scoring {
        let ours = score::f1_by_shingles(&text, &truth);
        assert!((ours - f1).abs() < 1e-12, "{text:?} against {truth:?}: {ours}, not {f1}");
    }
}

#[test]
fn main_text_comes_out_as_well_as_from_the_best_peer() {
    let stored = figures();
    let mut n_pages = 0;
    for set in SETS {
        let mut by_kind: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for page in authored(set) {
            n_pages += 1;
            let f1 = score::f1_by_shingles(&extract(&page.html).text, &page.truth);
            by_kind.entry(page.kind).or_default().push(f1);
        }
        for (kind, scores) in &by_kind {
            assert_level(&stored, set, kind, scores);
        }
    }
    assert_eq!(n_pages, 51, "every page has its text beside it");
}

#[test]
fn code_of_the_labelled_pages_comes_out_letter_by_letter() {
    let mut n_lines = 0;
    for page in SETS.into_iter().flat_map(authored) {
        let text = extract(&page.html).text;
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        for code in score::code_lines(&page.truth) {
            n_lines += 1;
            assert!(lines.contains(&code), "{} lost the line {code:?}", page.name);
        }
    }
    assert!(n_lines > 40, "{n_lines} lines of code");
    assert!(figures().code.values().all(|share| (share["ours"] - 1.0).abs() < ROUNDING));
}

/// A page of the toolchain's documentation: only a few words of it are kept here.
#[derive(Deserialize)]
struct Label {
    page: String,
    kind: String,
    #[serde(rename = "in")]
    wanted: Vec<String>,
    #[serde(rename = "out")]
    unwanted: Vec<String>,
}

/// Whether a label was written for this version of the page: all its snippets stand in it.
fn fits(label: &Label, html: &str) -> bool {
    let squeezed = |text: &str| score::words(text).concat();
    let page = squeezed(&scraper::Html::parse_document(html).root_element().text().collect::<String>());
    label.wanted.iter().chain(&label.unwanted).all(|snippet| page.contains(&squeezed(snippet)))
}

#[test]
fn documentation_comes_out_as_well_as_from_the_best_peer() {
    let Ok(root) = RustDocs::locate() else {
        println!("skipped: the toolchain has no documentation (rustup component add rust-docs)");
        return;
    };
    let stored = figures();
    for set in SETS {
        let labels: Vec<Label> =
            serde_json::from_str(&fs::read_to_string(labels().join(format!("rust-docs-{set}.json"))).unwrap()).unwrap();
        let mut by_kind: BTreeMap<String, Option<Vec<f64>>> = BTreeMap::new();
        for label in labels {
            let html = fs::read_to_string(root.join(&label.page)).ok().filter(|html| fits(&label, html));
            let f1 = html.map(|html| score::f1_by_snippets(&extract_page(&html).text, &label.wanted, &label.unwanted));
            let scores = by_kind.entry(label.kind).or_insert_with(|| Some(Vec::new()));
            match (scores.as_mut(), f1) {
                (Some(scores), Some(f1)) => scores.push(f1),
                _ => *scores = None,
            }
        }
        for (kind, scores) in &by_kind {
            match scores {
                Some(scores) => assert_level(&stored, set, kind, scores),
                None => println!("skipped: {set} {kind}: the pages are of another version"),
            }
        }
    }
}

#[test]
fn the_labelled_set_is_what_the_book_says() {
    let peers: Value = serde_json::from_str(&fs::read_to_string(labels().join("peers.json")).unwrap()).unwrap();
    let n_pages: f64 = SETS
        .iter()
        .flat_map(|set| peers["f1"][set].as_object().unwrap().values().map(|kind| kind["pages"].as_f64().unwrap()))
        .sum();
    assert!(n_pages >= 60.0, "{n_pages} pages");
}
