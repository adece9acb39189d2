//! How short a text may be before its language is guesswork: our detector beside lingua, by length.
#![allow(clippy::unwrap_used)]

use corpus::language::{LanguageConfig, reject_reason};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    texts: Vec<Text>,
}

#[derive(Deserialize)]
struct Text {
    n_chars: usize,
    language: String,
    text: String,
    lingua: String,
}

#[test]
fn accuracy_grows_with_length() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/reference/languages.json");
    let golden: Golden = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let keep = |language: &str| LanguageConfig { language: language.into(), min_confidence: 0.0, min_letters: 0 };
    println!("{:>5} {:>6} {:>6} {:>6}  English or not: ours, lingua", "chars", "texts", "ours", "lingua");
    let mut accuracies = Vec::new();
    for n_chars in [10, 20, 40, 70] {
        let texts: Vec<&Text> = golden.texts.iter().filter(|text| text.n_chars == n_chars).collect();
        let share =
            |right: &dyn Fn(&Text) -> bool| texts.iter().filter(|t| right(t)).count() as f64 / texts.len() as f64;
        let ours = share(&|t| reject_reason(&t.text, &keep(&t.language)).is_none());
        let lingua = share(&|t| t.lingua == t.language);
        let ours_english = share(&|t| reject_reason(&t.text, &keep("eng")).is_none() == (t.language == "eng"));
        let lingua_english = share(&|t| (t.lingua == "eng") == (t.language == "eng"));
        let n = texts.len();
        println!("{n_chars:>5} {n:>6} {ours:>6.3} {lingua:>6.3}  {ours_english:.3} {lingua_english:.3}");
        accuracies.push((ours, ours_english));
    }
    assert!(accuracies.is_sorted_by(|a, b| a.0 <= b.0), "{accuracies:?}");
    assert!(accuracies[3].0 >= 0.95 && accuracies[2].1 >= 0.98, "{accuracies:?}");
}
