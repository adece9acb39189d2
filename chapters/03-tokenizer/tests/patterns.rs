//! Words are cut where the published patterns cut them, as `fancy-regex`, which has look-ahead, finds them.
#![allow(clippy::unwrap_used)]

use std::sync::LazyLock;

use fancy_regex::Regex;
use proptest::prelude::*;
use tokenizer::{Digits, Pattern, PreTokenizer};

/// Compiled once: a hundred times the work of matching.
static REGEXES: LazyLock<Vec<(Pattern, Regex)>> =
    LazyLock::new(|| Pattern::ALL.into_iter().map(|pattern| (pattern, Regex::new(pattern.regex()).unwrap())).collect());

fn regex_words<'t>(pattern: &Regex, text: &'t str) -> Vec<&'t str> {
    pattern.find_iter(text).map(|found| found.unwrap().as_str()).collect()
}

/// Cuts as a `Split` with `Isolated` does: matches, and what lies between them.
fn isolated<'t>(pattern: &Regex, text: &'t str) -> Vec<&'t str> {
    let (mut pieces, mut done) = (Vec::new(), 0);
    for found in pattern.find_iter(text).map(Result::unwrap) {
        pieces.extend([&text[done..found.start()], found.as_str()]);
        done = found.end();
    }
    pieces.push(&text[done..]);
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

fn words(pattern: Pattern, digits: Digits, text: &str) -> Vec<&str> {
    PreTokenizer { digits, pattern }.words(text).collect()
}

#[test]
fn each_pattern_cuts_in_its_own_way() {
    let text = "It'S 12345 HTMLParser’s  x\r\n\n  //\n\n";
    let all: Vec<String> = Pattern::ALL
        .into_iter()
        .map(|pattern| format!("{pattern:?}: {}", words(pattern, Digits::AsPattern, text).join("|")))
        .map(|line| line.replace('\r', "\\r").replace('\n', "\\n"))
        .collect();
    let expected = [
        r"Gpt2: It|'|S| 12345| HTMLParser|’|s| | x|\r\n\n | //|\n\n",
        r"Cl100k: It|'S| |123|45| HTMLParser|’s| | x|\r\n\n| | //\n\n",
        r"O200k: It'S| |123|45| HTMLParser|’s| | x|\r\n\n| | //\n\n",
        r"Llama3: It|'S| |123|45| HTMLParser|’s| | x|\r\n\n| | //\n\n",
        r"Qwen2: It|'S| |1|2|3|4|5| HTMLParser|’s| | x|\r\n\n| | //\n\n",
    ];
    assert_eq!(all, expected);
    // Only tiktoken's cl100k keeps the white space at the end in one piece.
    assert_eq!(words(Pattern::Cl100k, Digits::AsPattern, "x \n  "), ["x", " \n  "]);
    assert_eq!(words(Pattern::Llama3, Digits::AsPattern, "x \n  "), ["x", " \n", "  "]);
    assert_eq!(words(Pattern::Gpt2, Digits::Singly, "a 12"), ["a", " ", "1", "2"]);
    assert_eq!(words(Pattern::Gpt2, Digits::ByThree, "a 12345"), ["a", " ", "123", "45"]);
    // An accent that stands alone begins a word of o200k's, and may have to be given back by the capitals.
    assert_eq!(words(Pattern::O200k, Digits::AsPattern, "A\u{301}BcD ªA"), ["A\u{301}Bc", "D", " ª", "A"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn words_are_those_of_the_published_patterns(text in nasty_text()) {
        for (pattern, regex) in REGEXES.iter() {
            let ours = words(*pattern, Digits::AsPattern, &text);
            prop_assert_eq!(ours.concat(), &text[..]);
            prop_assert_eq!(ours, regex_words(regex, &text), "{:?}", pattern);
        }
    }

    #[test]
    fn numbers_are_cut_before_the_pattern_sees_the_text(text in nasty_text()) {
        for (digits, number) in [(Digits::Singly, r"\p{N}"), (Digits::ByThree, r"\p{N}{1,3}")] {
            let number = Regex::new(number).unwrap();
            for (pattern, regex) in REGEXES.iter() {
                let expected: Vec<&str> =
                    isolated(&number, &text).into_iter().flat_map(|piece| regex_words(regex, piece)).collect();
                prop_assert_eq!(words(*pattern, digits, &text), expected, "{:?} {:?}", digits, pattern);
            }
        }
    }
}

/// What patterns treat specially, in all scripts and cases, and any character at all.
fn nasty_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<char>().prop_map(String::from),
        "[ \t\n\r\u{a0}\u{3000}\u{2028}\u{85}]{1,4}",
        "[ \n\r]{1,3}",
        "[a-zA-Z]{1,6}",
        "[A-ZÉÀ]{1,3}[a-zéß]{0,3}",
        // Modifier letters, other letters, title case, marks: members of both of o200k's classes, or of one.
        "[ªʰ東אDžͅ\u{301}\u{903}\u{20dd}aA]{1,5}",
        "[0-9]{1,5}",
        "[0-9٣½Ⅷ²]{1,4}",
        "['’](s|t|re|ve|m|ll|d|x|S|T|RE|Ve|M|lL|D|ſ|ſs|r|v|l)",
        "[!-/_|’]{1,3}",
        "/?[\r\n/]{1,4}",
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}
