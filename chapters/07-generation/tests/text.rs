//! Stop strings and streamed text: what is shown does not depend on how the text is cut.
#![allow(clippy::unwrap_used)]

use generation::{Limits, StopStrings, TextStream};
use proptest::prelude::*;
use tokenizer::{Tokenizer, TrainConfig};

fn strings(strings: &[&str]) -> Vec<String> {
    strings.iter().map(|string| string.to_string()).collect()
}

/// What is shown of each piece and at the end.
fn shown(stops: &[&str], pieces: &[&str]) -> Vec<String> {
    let mut filter = StopStrings::new(strings(stops)).unwrap();
    let mut shown: Vec<String> = pieces.iter().map(|piece| filter.push(piece)).collect();
    shown.push(filter.finish());
    shown
}

#[test]
fn a_stop_string_is_found_across_pieces() {
    assert_eq!(shown(&["\nUser:"], &["Yes.", "\nUs", "er: No"]), ["Yes.", "", "", ""]);
    assert_eq!(shown(&["\nUser:"], &["Yes.\nUser:", "more"]), ["Yes.", "", ""]);
    assert_eq!(shown(&["END"], &["fin E", "N", "D", "x"]), ["fin ", "", "", "", ""]);
    assert_eq!(shown(&[], &["a", "b"]), ["a", "b", ""]);
}

#[test]
fn only_what_could_begin_a_stop_string_is_held_back() {
    // "\nUs" could; "\nUse " cannot, and nothing of it stays.
    assert_eq!(shown(&["\nUser:"], &["A\nUs", "e it"]), ["A", "\nUse it", ""]);
    // The end of the text frees what was held.
    assert_eq!(shown(&["END"], &["the E", "N"]), ["the ", "", "EN"]);
    // A beginning inside a beginning: of "aab" in "aaab".
    assert_eq!(shown(&["aab"], &["a", "a", "a", "c"]), ["", "", "a", "aac", ""]);
    assert_eq!(shown(&["aab"], &["xa", "aab"]), ["x", "a", ""]);
}

#[test]
fn the_stop_that_is_complete_first_wins_and_the_longer_of_two() {
    assert_eq!(shown(&["bcd", "c"], &["abcd"]).concat(), "ab");
    assert_eq!(shown(&["c", "abc"], &["xabcd"]).concat(), "x");
    assert!(StopStrings::new(strings(&["a", ""])).unwrap_err().to_string().contains("a stop string is empty"));
}

/// The definition, on the whole text: try every end from the front, the longest string at each.
fn oracle(stops: &[String], text: &str) -> String {
    for (end, _) in text.char_indices().skip(1).chain([(text.len(), ' ')]) {
        let ending = stops.iter().filter(|stop| text[..end].ends_with(stop.as_str())).map(String::len).max();
        if let Some(len) = ending {
            return text[..end - len].to_string();
        }
    }
    text.to_string()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_cut_shows_the_same(
        stops in prop::collection::vec("[abé]{1,4}", 0..4),
        pieces in prop::collection::vec("[abé]{0,5}", 0..8),
    ) {
        let text: String = pieces.concat();
        let mut filter = StopStrings::new(stops.clone()).unwrap();
        let expected = oracle(&stops, &text);
        let mut shown = String::new();
        let mut fed = String::new();
        for piece in &pieces {
            shown += &filter.push(piece);
            fed += piece;
            prop_assert!(expected.starts_with(&shown), "{shown:?} was shown of {expected:?}");
            // Nothing is held back that no stop string could need.
            let held = oracle(&stops, &fed)[shown.len()..].to_string();
            prop_assert!(held.is_empty() || filter.has_stopped() || stops.iter().any(|stop| stop.starts_with(&held)));
        }
        shown += &filter.finish();
        prop_assert_eq!(shown, expected);
        prop_assert_eq!(filter.has_stopped(), stops.iter().any(|stop| text.contains(stop.as_str())));
    }
}

fn tokenizer() -> Tokenizer {
    Tokenizer::train(&["the end of the end, the end"], &TrainConfig::with_vocab_size(280)).unwrap()
}

fn limits() -> Limits {
    Limits { max_tokens: 99, stop_tokens: vec![] }
}

#[test]
fn characters_come_whole_and_stop_strings_not_at_all() {
    let tokenizer = tokenizer();
    for text in ["Größe 日本 🙂 the end. 🙂🙂", "é", "the end", "🙂"] {
        let ids = tokenizer.encode(text);
        for stops in [vec![], strings(&[" end"]), strings(&["🙂🙂"]), strings(&["本 🙂"])] {
            let mut stream = TextStream::new(&tokenizer, &stops, &mut limits()).unwrap();
            let mut shown = String::new();
            for id in &ids {
                let piece = stream.push(*id);
                assert!(!piece.contains('\u{FFFD}'), "half a character of {text:?}: {piece:?}");
                shown += &piece;
            }
            assert_eq!(shown + &stream.finish(), oracle(&stops, text));
        }
    }
}

#[test]
fn half_a_character_at_the_end_is_shown_as_such() {
    let tokenizer = tokenizer();
    let ids = tokenizer.encode("a🙂");
    let mut stream = TextStream::new(&tokenizer, &[], &mut limits()).unwrap();
    let shown: String = ids[..ids.len() - 1].iter().map(|id| stream.push(*id)).collect();
    assert_eq!(shown, "a");
    assert_eq!(stream.finish(), "\u{FFFD}");
}

#[test]
fn a_stop_string_that_is_a_special_token_stops_at_the_token() {
    let tokenizer = tokenizer();
    let (special, id) = tokenizer.special_tokens()[0];
    let mut limits = limits();
    TextStream::new(&tokenizer, &[special.to_string(), "x".to_string()], &mut limits).unwrap();
    assert_eq!(limits.stop_tokens, [id]);
}

#[test]
fn a_continuation_keeps_the_space_that_its_first_token_begins_with() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/reference/tokenizer/spm/llama2.json");
    let tokenizer = Tokenizer::open(file).unwrap();
    let mut stream = TextStream::new(&tokenizer, &[], &mut limits()).unwrap();
    for answer in [" lamp", " harbour"] {
        let shown: String = tokenizer.encode(answer.trim_start()).into_iter().map(|id| stream.push(id)).collect();
        assert_eq!(shown + &stream.finish(), answer);
    }
}
