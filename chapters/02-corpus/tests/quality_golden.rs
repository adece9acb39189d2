//! The measured quantities against datatrove's, whose filters made FineWeb.
//!
//! `tests/reference/quality_rules.py` finds each quantity as the threshold at which datatrove's verdict turns.
#![allow(clippy::unwrap_used)]

use corpus::lines::{LinesConfig, keep_prose_lines};
use corpus::quality::{ProseCounts, Repetition};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    texts: Vec<Text>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
    n_words: usize,
    mean_word_chars: f64,
    symbols_per_word: f64,
    bullet_lines: f64,
    ellipsis_lines: f64,
    alphabetic_words: f64,
    n_stop_words: usize,
    paragraphs: f64,
    paragraph_chars: f64,
    lines: f64,
    line_chars: f64,
    top_ngrams: [f64; 3],
    duplicate_ngrams: [f64; 6],
    punctuated_lines: f64,
    short_lines: f64,
    repeated_line_chars: f64,
    breaks_per_word: f64,
    n_sentences: usize,
    c4_lines: String,
}

fn golden() -> Vec<Text> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/reference/quality_rules.json");
    let golden: Golden = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(golden.texts.len() >= 16);
    golden.texts
}

#[track_caller]
fn same(ours: f64, theirs: f64, what: &str, text: &str) {
    // Theirs are bisected and rounded to seven digits.
    assert!((ours - theirs).abs() < 1e-6, "{what}: ours {ours}, theirs {theirs} of {text:?}");
}

#[test]
fn words_and_lines_are_counted_as_datatrove_counts_them() {
    for t in golden() {
        let ours = ProseCounts::of(&t.text, 30);
        assert_eq!(ours.n_words, t.n_words, "{:?}", t.text);
        assert_eq!(ours.n_stop_words, t.n_stop_words, "{:?}", t.text);
        assert_eq!(ours.n_sentences, t.n_sentences, "{:?}", t.text);
        same(ours.mean_word_chars, t.mean_word_chars, "word length", &t.text);
        same(ours.hashes_per_word.max(ours.ellipses_per_word), t.symbols_per_word, "symbols", &t.text);
        same(ours.alphabetic_words, t.alphabetic_words, "words with letters", &t.text);
        same(ours.punctuated_lines, t.punctuated_lines, "punctuated lines", &t.text);
        same(ours.short_lines, t.short_lines, "short lines", &t.text);
        same(ours.repeated_line_chars, t.repeated_line_chars, "repeated line characters", &t.text);
        same(ours.breaks_per_word, t.breaks_per_word, "line breaks", &t.text);
        // Where datatrove counts Gopher's lines, blank ones are lines too; ours are not.
        if !t.text.contains("\n\n") {
            same(ours.bullet_lines, t.bullet_lines, "bullet lines", &t.text);
            same(ours.ellipsis_lines, t.ellipsis_lines, "ellipsis lines", &t.text);
        }
    }
}

#[test]
fn repetition_is_measured_as_datatrove_measures_it() {
    for t in golden() {
        let ours = Repetition::of(&t.text);
        same(ours.paragraphs, t.paragraphs, "paragraphs", &t.text);
        same(ours.paragraph_chars, t.paragraph_chars, "paragraph characters", &t.text);
        same(ours.lines, t.lines, "lines", &t.text);
        same(ours.line_chars, t.line_chars, "line characters", &t.text);
        for (ours, theirs) in ours.top_ngrams.into_iter().zip(t.top_ngrams) {
            same(ours, theirs.min(1.0), "most frequent run", &t.text);
        }
        for (ours, theirs) in ours.duplicate_ngrams.into_iter().zip(t.duplicate_ngrams) {
            same(ours, theirs, "repeated runs", &t.text);
        }
    }
}

#[test]
fn the_same_lines_are_kept_as_by_c4() {
    for t in golden() {
        let ours = keep_prose_lines(&t.text, &LinesConfig::c4());
        // We keep the blank lines between paragraphs, C4 does not.
        let ours: Vec<&str> = ours.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(ours.join("\n"), t.c4_lines, "{:?}", t.text);
    }
}
