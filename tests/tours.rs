//! Every chapter's tour, held as a snapshot that the book prints.
//!
//! Text must be equal. Numbers may differ within a tolerance, because another CPU adds in another order: in chapters that only compute, by
//! little; in chapters that train a model, by as much as two such trainings differ. A snapshot proves that the output is stable; that it is right is
//! for the chapters' own tests.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use llm_from_scratch::chapters::CHAPTERS;

/// How far two numbers may be apart: the larger of the two bounds counts.
#[derive(Clone, Copy)]
struct Tolerance {
    relative: f64,
    absolute: f64,
}

/// Rounding alone.
const COMPUTED: Tolerance = Tolerance { relative: 2e-3, absolute: 2e-3 };
/// Losses and shares of a model that was trained in the tour; shares are printed in percent.
const TRAINED: Tolerance = Tolerance { relative: 0.15, absolute: 15.0 };

fn check(number: usize, tolerance: Tolerance) {
    let chapter = CHAPTERS.iter().find(|chapter| chapter.number == number).unwrap();
    let mut out = Vec::new();
    (chapter.tour)(&mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/snapshots/tours__{}.snap", chapter.folder()));
    // A run within the tolerance is the same run: insta then compares the old text with itself.
    let old =
        std::fs::read_to_string(file).ok().and_then(|snapshot| Some(snapshot.splitn(3, "---\n").nth(2)?.to_string()));
    let text = match old {
        Some(old) if is_close(old.trim_end(), text.trim_end(), tolerance) => old,
        _ => text,
    };
    insta::assert_snapshot!(chapter.folder(), text);
}

/// Whether two texts are equal but for numbers that are within the tolerance.
fn is_close(old: &str, new: &str, tolerance: Tolerance) -> bool {
    let (old, new) = (pieces(old), pieces(new));
    old.len() == new.len() && old.iter().zip(&new).all(|(a, b)| a == b || numbers_are_close(a, b, tolerance))
}

fn numbers_are_close(a: &str, b: &str, tolerance: Tolerance) -> bool {
    let (Ok(a), Ok(b)) = (a.parse::<f64>(), b.parse::<f64>()) else { return false };
    (a - b).abs() <= tolerance.absolute.max(tolerance.relative * a.abs().max(b.abs()))
}

/// Numbers and the text between them; runs of spaces count as one, as a shorter number is padded with more.
fn pieces(text: &str) -> Vec<String> {
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let mut pieces: Vec<String> = Vec::new();
    let mut in_number = false;
    for c in text.chars() {
        let starts_number = c.is_ascii_digit() || (in_number && is_number(c));
        if starts_number != in_number || pieces.is_empty() {
            pieces.push(String::new());
        }
        in_number = starts_number;
        let piece = pieces.last_mut().unwrap();
        if !(c == ' ' && piece.ends_with(' ')) {
            piece.push(c);
        }
    }
    // A minus sign belongs to its number, unless something stands before it.
    pieces.iter().map(|piece| piece.trim_end_matches('.').to_string()).collect()
}

#[test]
fn tolerance_forgives_numbers_and_nothing_else() {
    let close = |a, b| is_close(a, b, Tolerance { relative: 0.01, absolute: 0.0 });
    assert!(close("loss 1.000 at step 20", "loss  1.009 at step 20"));
    assert!(!close("loss 1.000", "loss 1.020"));
    assert!(!close("loss 1.000", "cost 1.000"));
    assert!(!close("loss 1.000", "loss 1.000 2"));
    assert!(!close("loss 1.0", "loss -1.0"));
}

macro_rules! tours {
    ($($name:ident: $number:literal, $tolerance:expr;)*) => {
        $(#[test] fn $name() { check($number, $tolerance); })*

        #[test]
        fn every_chapter_has_its_test() {
            assert_eq!(CHAPTERS.map(|chapter| chapter.number).to_vec(), vec![$($number),*]);
        }
    };
}

tours! {
    tensors: 1, COMPUTED;
    corpus: 2, COMPUTED;
    tokenizer: 3, COMPUTED;
    batches: 4, COMPUTED;
    attention: 5, COMPUTED;
    transformer: 6, COMPUTED;
    generation: 7, COMPUTED;
    training: 8, Tolerance { relative: 0.05, absolute: 0.05 };
    evaluation: 10, COMPUTED;
    pretraining: 11, Tolerance { relative: 0.05, absolute: 0.1 };
    finetuning: 13, TRAINED;
    preferences: 14, TRAINED;
}
