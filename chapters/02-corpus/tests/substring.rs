//! Repeated passages: what goes against the definition, byte by byte, and what is left is text that can be read.
#![allow(clippy::unwrap_used, clippy::single_range_in_vec_init)]

use std::ops::Range;

use corpus::Document;
use corpus::substring_dedup::{SubstringConfig, Texts, remove};
use proptest::prelude::*;
use serde_json::Value;

fn config(min_bytes: usize) -> SubstringConfig {
    SubstringConfig { enabled: true, min_bytes, min_document_words: 0, ..SubstringConfig::default() }
}

fn repeated(texts: &[String], min_bytes: usize) -> Vec<Vec<Range<usize>>> {
    let mut all = Texts::new(&config(min_bytes));
    texts.iter().for_each(|text| all.push(text).unwrap());
    all.repeated().unwrap()
}

fn left(text: &str, passages: &[Range<usize>]) -> String {
    let mut document = Document::new("", "", text);
    remove(&mut document, passages, &config(1));
    document.text
}

/// The definition: a byte goes if a window around it equals one that ended before it began, in the order of all texts.
fn oracle(texts: &[String], n: usize) -> Vec<Vec<bool>> {
    let windows: Vec<(usize, usize)> =
        (0..texts.len()).flat_map(|text| (n..=texts[text].len()).map(move |end| (text, end - n))).collect();
    let mut goes: Vec<Vec<bool>> = texts.iter().map(|text| vec![false; text.len()]).collect();
    for &(text, start) in &windows {
        let window = &texts[text].as_bytes()[start..start + n];
        let is_before = |&&(t, s): &&(usize, usize)| t < text || t == text && s + n <= start;
        if windows.iter().filter(is_before).any(|&(t, s)| &texts[t].as_bytes()[s..s + n] == window) {
            goes[text][start..start + n].fill(true);
        }
    }
    goes
}

/// The whole characters of each run of bytes that go.
fn whole_characters(text: &str, goes: &[bool]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (at, c) in text.char_indices() {
        let place = at..at + c.len_utf8();
        if goes[place.clone()].iter().all(|&goes| goes) {
            match found.last_mut() {
                Some(last) if last.end == at && goes[at - 1] => last.end = place.end,
                _ => found.push(place),
            }
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Dashes that share their first bytes, signs that share their last: most windows begin or end inside a character.
    #[test]
    fn what_goes_is_what_the_definition_says(texts in prop::collection::vec("[.–—«⊫]{0,24}", 0..6), n in 2..9usize) {
        let expected: Vec<_> = texts.iter().zip(oracle(&texts, n)).map(|(text, goes)| whole_characters(text, &goes)).collect();
        prop_assert_eq!(repeated(&texts, n), expected);
    }

    /// Words of a few letters, punctuation, line breaks and fences.
    #[test]
    fn words_and_blocks_stay_whole(
        texts in prop::collection::vec(prop::collection::vec("ab|ba|é| |\n|\\. |```|```\n|\n```\n|\n```x\n|~~~\n", 0..40), 1..5),
        n in 3..20usize,
    ) {
        let texts: Vec<String> = texts.iter().map(|pieces| pieces.concat()).collect();
        let goes = oracle(&texts, n);
        for ((text, passages), goes) in texts.iter().zip(repeated(&texts, n)).zip(goes) {
            for passage in &passages {
                prop_assert!(goes[passage.clone()].iter().all(|&goes| goes), "only repeated bytes go");
                for edge in [passage.start, passage.end] {
                    let is_inside = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
                    let cuts_a_word = is_inside(text[..edge].chars().next_back()) && is_inside(text[edge..].chars().next());
                    prop_assert!(!cuts_a_word, "{passages:?} of {text:?}");
                }
            }
            let blocks = blocks(text);
            for block in &blocks {
                let is_whole = passages.iter().all(|p| p.end <= block.start || p.start >= block.end || p.start <= block.start && p.end >= block.end);
                prop_assert!(is_whole, "{block:?} is cut by {passages:?} in {text:?}");
            }
            let shortened = left(text, &passages);
            let kept = blocks.iter().filter(|block| !passages.iter().any(|p| p.start <= block.start && p.end >= block.end));
            if shortened != *text {
                let found: Vec<&str> = self::blocks(&shortened).into_iter().map(|block| shortened[block].trim_end()).collect();
                prop_assert_eq!(found, kept.map(|block| text[block.clone()].trim_end()).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn nothing_is_left_that_is_repeated(texts in prop::collection::vec("[ab.]{0,60}", 1..6), n in 4..12usize) {
        let goes = oracle(&texts, n);
        for (i, j) in (0..texts.len()).flat_map(|i| (0..i).map(move |j| (i, j))) {
            if texts[i] == texts[j] && texts[i].len() >= n {
                prop_assert!(goes[i].iter().all(|&goes| goes), "a copy goes whole");
                prop_assert_eq!(left(&texts[i], &repeated(&texts, n)[i]), "");
            }
        }
    }
}

/// Blocks by the rules of CommonMark, written another way: line by line, with the marks as text.
fn blocks(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut open: Option<(usize, char, usize)> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end();
        let bare = content.trim_start_matches(' ');
        let mark = bare.chars().next().unwrap_or(' ');
        let n = bare.chars().take_while(|&c| c == mark).count();
        let is_fence = "`~".contains(mark) && n >= 3 && content.len() - bare.len() <= 3;
        match open {
            None if is_fence && !(mark == '`' && bare[n..].contains('`')) => open = Some((at, mark, n)),
            Some((start, opened, least)) if is_fence && mark == opened && n >= least && bare.len() == n => {
                found.push(start..at + content.len());
                open = None;
            }
            _ => {}
        }
        at += line.len();
    }
    found.extend(open.map(|(start, _, _)| start..text.trim_end().len()));
    found
}

#[test]
fn the_first_occurrence_stays_and_no_match_crosses_a_border() {
    let texts = ["one two three. four", "zero. one two three. five", "one two", " three. six"].map(String::from);
    assert_eq!(repeated(&texts, 12), [vec![], vec![6..21], vec![], vec![]]);
    assert_eq!(left(&texts[1], &[6..21]), "zero. five");
    let period = ["ab.".repeat(10)];
    assert_eq!(repeated(&period, 6), [vec![6..30]], "a text that repeats itself keeps its beginning");
}

#[test]
fn lines_and_words_do_not_run_together() {
    for (text, passage, expected) in [
        ("one (gone) two", 3..11, "one two"),
        ("one\n\ngone\n\ntwo", 5..9, "one\n\ntwo"),
        ("one. gone\nGone, two", 4..14, "one.\n, two"),
        ("gone\n\none", 0..4, "one"),
        ("one\n\ngone", 5..9, "one"),
        ("one\nx```\ntwo", 4..5, "one\nx```\ntwo"),
        ("gone\n    code", 0..4, "    code"),
        ("gone\ngone. one", 0..11, "one"),
    ] {
        assert_eq!(left(text, &[passage]), expected, "{text:?}");
    }
}

#[test]
fn a_block_of_code_goes_whole_or_not_at_all() {
    let code = "```rust\nfn main() {}\n\nfn other() {}\n```";
    let first = format!("Before, {}\n{code}\nBehind.", "This is said twice.");
    let whole = format!("Start. {}\n{code}\nBehind.\nEnd.", "This is said twice.");
    let half = format!("Other: {}\n{}\n```", "This is said twice.", &code[..30]);
    let texts = [first, whole.clone(), half.clone()];
    let found = repeated(&texts, 20);
    assert_eq!(left(&whole, &found[1]), "Start.\nEnd.");
    assert_eq!(left(&half, &found[2]), half[..6].to_string() + "\n" + &half[half.find("```").unwrap()..]);
    assert!(repeated(&texts[..2], 20)[0].is_empty());

    let example = |b: i32| format!("Page {b}\nExamples:\n```\nlet a = 1;\nlet b = {b};\n```\nEnd {b}");
    let found = repeated(&[example(2), example(3)], 20);
    assert!(found[1].is_empty(), "what is left before a block that stays is too short to go: {found:?}");
}

/// The passages that `tests/reference/substring.py` finds by a dictionary of all windows.
#[test]
fn passages_are_those_of_an_independent_implementation() {
    let golden: Value = serde_json::from_str(include_str!("../../../tests/reference/substring.json")).unwrap();
    let texts: Vec<String> = serde_json::from_value(golden["texts"].clone()).unwrap();
    let expected: Vec<Vec<Range<usize>>> =
        serde_json::from_value::<Vec<Vec<(usize, usize)>>>(golden["passages"].clone())
            .unwrap()
            .into_iter()
            .map(|passages| passages.into_iter().map(|(start, end)| start..end).collect())
            .collect();
    let n = golden["min_bytes"].as_u64().unwrap() as usize;
    assert!(expected.iter().flatten().count() >= 20);
    assert_eq!(repeated(&texts, n), expected);
}

#[test]
fn too_much_text_is_refused_with_the_way_out() {
    let mut texts = Texts::new(&SubstringConfig { max_bytes: 10, ..config(3) });
    texts.push("12345").unwrap();
    let message = texts.push("123456").unwrap_err().to_string();
    assert!(
        message.starts_with("substring.max_bytes is 10; ") && message.contains("five bytes of memory"),
        "{message}"
    );
    assert!(texts.repeated().unwrap().concat().is_empty(), "what was refused is not there");
    for (min_bytes, max_bytes, name) in
        [(19, 1, "min_bytes is 19"), (20, 0, "max_bytes is 0"), (20, 1 << 31, "max_bytes")]
    {
        let config = SubstringConfig { min_bytes, max_bytes, ..config(3) };
        assert!(config.validate().unwrap_err().to_string().contains(name));
    }
}
