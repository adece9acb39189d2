//! Every chapter's tour, held as a snapshot that the book prints.
//!
//! Text and whole numbers must be equal. Numbers with a decimal point may differ by rounding, because another CPU adds in another order; in
//! sections that train a model, by as much as two such trainings differ. A snapshot proves that the output is stable; that it is right is for
//! the chapters' own tests.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use llm_from_scratch::chapters::CHAPTERS;

/// How far two numbers may be apart.
#[derive(Clone, Copy)]
struct Tolerance {
    /// For numbers with a decimal point: relative to the larger one, and one unit of the last printed place more.
    relative: f64,
    /// For whole numbers.
    whole: f64,
}

/// Rounding alone.
const COMPUTED: Tolerance = Tolerance { relative: 2e-3, whole: 0.0 };
/// Losses of a model that was trained in the tour.
const LOSSES: Tolerance = Tolerance { relative: 0.08, whole: 0.0 };

/// The sections that train, by title. All others compute.
const TRAINED: [(&str, Tolerance); 5] = [
    ("learning one sentence by heart", LOSSES),
    ("down the stairs", LOSSES),
    // Answers out of 30 or 90.
    ("before and after", Tolerance { relative: 0.0, whole: 6.0 }),
    // Percentages of sampled answers and answers out of 60; rewards.
    ("two manners", Tolerance { relative: 0.5, whole: 12.0 }),
    ("honesty", Tolerance { relative: 0.5, whole: 15.0 }),
];

fn check(number: usize) {
    let chapter = CHAPTERS.iter().find(|chapter| chapter.number == number).unwrap();
    let mut out = Vec::new();
    (chapter.tour)(&mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    // A run within the tolerance is the same run: insta then compares the old text with itself.
    let text = match snapshot(&chapter.folder()) {
        Some(old) if is_close(old.trim_end(), text.trim_end()) => old,
        _ => text,
    };
    insta::assert_snapshot!(chapter.folder(), text);
}

/// What a chapter's tour printed when it was last accepted.
fn snapshot(folder: &str) -> Option<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/snapshots/tours__{folder}.snap"));
    Some(std::fs::read_to_string(file).ok()?.splitn(3, "---\n").nth(2)?.to_string())
}

/// Whether two texts are equal but for numbers that are within their section's tolerance.
fn is_close(old: &str, new: &str) -> bool {
    let (old, new) = (sections(old), sections(new));
    let same = |((title, old), (new_title, new)): (&(&str, &str), &(&str, &str))| {
        let trained = TRAINED.iter().find(|(trained, _)| trained == title);
        let tolerance = trained.map_or(COMPUTED, |(_, tolerance)| *tolerance);
        let (old, new) = (pieces(old), pieces(new));
        title == new_title
            && old.len() == new.len()
            && old.iter().zip(&new).all(|(a, b)| a == b || numbers_are_close(a, b, tolerance))
    };
    old.len() == new.len() && old.iter().zip(&new).all(same)
}

/// Title and text of each section.
fn sections(text: &str) -> Vec<(&str, &str)> {
    let text = text.strip_prefix("== ").unwrap_or(text);
    text.split("\n== ").map(|section| section.split_once(" ==\n").unwrap_or((section, ""))).collect()
}

fn numbers_are_close(a: &str, b: &str, tolerance: Tolerance) -> bool {
    let (Ok(x), Ok(y)) = (a.parse::<f64>(), b.parse::<f64>()) else { return false };
    let n_decimals = |number: &str| number.split_once('.').map(|(_, decimals)| decimals.len() as i32);
    match (n_decimals(a), n_decimals(b)) {
        (None, None) => (x - y).abs() <= tolerance.whole,
        (Some(n), Some(m)) if n == m => {
            // A hair more than a unit, because decimal fractions are not exact.
            let unit = 1.001 * 0.1f64.powi(n);
            (x - y).abs() <= tolerance.relative * x.abs().max(y.abs()) + unit
        }
        _ => false,
    }
}

/// Numbers with their signs, and the text between them; runs of spaces count as one, as a shorter number is padded with more.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let (mut in_number, mut before) = (false, ' ');
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let is_before_digit = chars.peek().is_some_and(char::is_ascii_digit);
        let is_sign = "+-".contains(c) && !before.is_alphanumeric() && is_before_digit;
        let is_point = c == '.' && in_number && is_before_digit;
        if (c.is_ascii_digit() || is_sign || is_point) != in_number {
            in_number = !in_number;
            pieces.push(String::new());
        }
        let piece = pieces.last_mut().unwrap();
        if !(c == ' ' && piece.ends_with(' ')) {
            piece.push(c);
        }
        before = c;
    }
    pieces
}

#[test]
fn tolerance_forgives_numbers_and_nothing_else() {
    let close = |a: &str, b: &str| is_close(&format!("== any ==\n{a}"), &format!("== any ==\n{b}"));
    assert!(close("loss 1.000 at step 20", "loss  1.003 at step 20"));
    assert!(close("x = -0.00", "x = 0.01"));
    assert!(close("Llama-3 at 2e-3.", "Llama-3 at 2e-3."));
    for other in ["loss 1.004", "loss -1.000", "loss 1.00", "loss 1", "cost 1.000", "loss 1.000 2"] {
        assert!(!close("loss 1.000", other), "{other}");
    }
    assert!(!close("step 20", "step 21") && !close("lr 0.003000", "lr 0.003100") && !close("1e-3", "1e-4"));
}

#[test]
fn each_section_has_its_own_tolerance() {
    let close = |title: &str, a: &str, b: &str| {
        let text = |number: &str| format!("== clipping ==\nnorm 4\n== {title} ==\n{number}");
        is_close(&text(a), &text(b))
    };
    assert!(close("honesty", "SFT | 50%", "SFT | 36%") && !close("clipping", "SFT | 50%", "SFT | 51%"));
    assert!(close("down the stairs", "loss 1.20", "loss 1.28") && !close("down the stairs", "step 40", "step 41"));
    assert!(!is_close("== a ==\n1", "== b ==\n1") && !is_close("== a ==\n1", "== a ==\n1\n== b ==\n"));
}

#[test]
fn every_section_that_trains_is_in_a_tour() {
    let all: String = CHAPTERS.iter().filter_map(|chapter| snapshot(&chapter.folder())).collect();
    for (title, _) in TRAINED {
        assert!(all.contains(&format!("== {title} ==")), "{title}");
    }
}

macro_rules! tours {
    ($($name:ident: $number:literal;)*) => {
        $(#[test] fn $name() { check($number); })*

        #[test]
        fn every_chapter_has_its_test() {
            assert_eq!(CHAPTERS.map(|chapter| chapter.number).to_vec(), vec![$($number),*]);
        }
    };
}

tours! {
    tensors: 1;
    corpus: 2;
    tokenizer: 3;
    batches: 4;
    attention: 5;
    transformer: 6;
    generation: 7;
    training: 8;
    kernels: 9;
    evaluation: 10;
    pretraining: 11;
    finetuning: 13;
    preferences: 14;
}
