//! One golden page for each quality rule, the reason that it must give, and its repair that must pass.
#![allow(clippy::unwrap_used)]

use corpus::quality::{Quality, QualityConfig};
use corpus::word_lists::SPAM_WORDS;

const PROSE: &str = "The road to the harbour was long and the wind came from the sea. We walked slowly, and my sister \
    counted the boats that lay on the sand. An old man sold us bread and told stories of storms. When the sun went down \
    we had found a room with a window to the water.";

const PARAGRAPH: &str = "An old man sold us bread and told stories of storms that had come from the sea long ago, and of a \
    ship that never came back.";

fn reason(text: &str) -> Option<String> {
    reason_under(text, &QualityConfig::default())
}

fn reason_under(text: &str, config: &QualityConfig) -> Option<String> {
    Quality::new(config).unwrap().broken_rule(text).map(String::from)
}

#[test]
fn prose_passes() {
    assert_eq!(reason(PROSE), None);
}

#[test]
fn each_rule_catches_its_page() {
    let keywords = "cheap hotel, cheap inn, best harbour, best bread, boats online, buy boats, rent boats, cheap rooms,\n\
        fish market, fish prices, bread prices, boat prices, sand, storms, windows, water, stories, rooms, sisters";
    let cases = [
        ("too_few_words", "We were there, and it was good.".to_string()),
        ("unfinished", format!("{PROSE} Lorem ipsum dolor sit amet.")),
        ("spam_words", format!("{PROSE} The {} and the {} wait.", SPAM_WORDS[0], SPAM_WORDS[1])),
        ("hashes", PROSE.replace(' ', " # ")),
        ("ellipses", PROSE.replace(' ', " ... ")),
        ("words_without_letters", format!("{PROSE} {}", "12 93 7 ".repeat(10))),
        ("long_words", format!("{PROSE} {}", "Donaudampfschifffahrtsgesellschaftskapitän ".repeat(15))),
        ("short_words", "a b c d e f g of to be ".repeat(5)),
        ("bullet_lines", PROSE.split(". ").map(|line| format!("- {line}.\n")).collect()),
        ("ellipsis_lines", PROSE.replace(". ", "...\n")),
        ("few_stop_words", keywords.replace(',', ".")),
        ("few_punctuated_lines", PROSE.replace(['.', ','], "\n")),
        ("duplicate_paragraphs", format!("{PROSE}\n\n{}", "Thank you.\n\n".repeat(4))),
        ("duplicate_paragraph_chars", format!("{PARAGRAPH}\n\n{PROSE}\n\nOne.\n\nTwo.\n\n{PARAGRAPH}")),
        ("duplicate_lines", format!("{PROSE}\n{}", "Thank you.\n".repeat(4))),
        ("duplicate_line_chars", format!("{PARAGRAPH}\n{PROSE}\nOne.\nTwo.\n{PARAGRAPH}")),
        ("top_2_gram", format!("{PROSE} {}", "The boats. Yes. ".repeat(30))),
        ("duplicate_5_grams", format!("{PROSE} {PROSE}")),
    ];
    for (rule, page) in cases {
        assert_eq!(reason(&page).as_deref(), Some(rule), "{page}");
    }
}

#[test]
fn a_rule_can_be_switched_off() {
    let page = format!("{PROSE}\n{}", "Thank you.\n".repeat(4));
    let config = QualityConfig { max_duplicate_lines: 1.0, max_top_ngram_chars: [1.0; 3], ..Default::default() };
    assert_eq!(reason_under(&page, &config), None);
}

#[test]
fn too_many_words_is_a_rule_too() {
    let config = QualityConfig { min_words: 1, max_words: 10, ..Default::default() };
    assert_eq!(reason_under(PROSE, &config), Some("too_many_words".into()));
}

#[test]
fn code_is_not_judged_as_prose() {
    let code = format!("```\n{}```\n", "let x = [1, 2, 3]; // ### ...\n".repeat(10));
    assert_eq!(reason(&code), None);
    assert_eq!(reason(&format!("{PROSE}\n{code}")), None);
}

#[test]
fn one_unwanted_word_in_a_long_page_is_no_spam() {
    assert_eq!(
        reason(&format!("{PROSE} {PROSE}").replace("We walked slowly", SPAM_WORDS[3])),
        Some("duplicate_5_grams".into())
    );
    assert_eq!(reason(&PROSE.replace("sister", SPAM_WORDS[3])), None);
}

#[test]
fn thresholds_out_of_range_are_named() {
    let config = QualityConfig { max_bullet_lines: 1.5, ..Default::default() };
    assert!(config.validate().unwrap_err().to_string().starts_with("quality.max_bullet_lines is 1.5"));
    let config = QualityConfig { min_words: 10, max_words: 5, ..Default::default() };
    assert!(config.validate().is_err());
    let said = |config: QualityConfig| config.validate().unwrap_err().to_string();
    for symbols in [-0.1, f64::NAN] {
        let said = said(QualityConfig { max_symbols_per_word: symbols, ..Default::default() });
        assert!(said.starts_with(&format!("quality.max_symbols_per_word is {symbols}; ")), "{said}");
    }
    let said_of_nine = said(QualityConfig { min_stop_words: 9, ..Default::default() });
    assert!(said_of_nine.starts_with("quality.min_stop_words is 9; choose from 0 to 8"), "{said_of_nine}");
    for config in [QualityConfig::default(), QualityConfig::documentation()] {
        config.validate().unwrap();
    }
}

#[test]
fn words_that_no_page_can_match_are_named() {
    for phrase in ["Lorem ipsum", "", " "] {
        let config = QualityConfig { unfinished: vec![phrase.into()], ..Default::default() };
        let said = config.validate().unwrap_err().to_string();
        assert!(said.starts_with(&format!("quality.unfinished is {phrase:?}; ")), "{said}");
    }
    for word in ["LuckySpin", "lucky spin", "lucky-spin", ""] {
        let config = QualityConfig { spam_words: vec![word.into()], ..Default::default() };
        let said = config.validate().unwrap_err().to_string();
        assert!(said.starts_with(&format!("quality.spam_words is {word:?}; ")), "{said}");
    }
}

#[test]
fn the_published_thresholds_add_rules_that_short_pages_cannot_keep() {
    let under = |text: &str| reason_under(text, &QualityConfig { min_words: 30, ..QualityConfig::web() });
    let five = format!("{PROSE} It was late.");
    assert_eq!(under(&five), None);
    assert_eq!(under(PROSE), Some("few_sentences".into()));
    assert_eq!(under(&format!("{five} fn main() {{}}")), Some("curly_bracket".into()));
    assert_eq!(under(&format!("{five}\n{}", "A boat.\nThe sea.\nOld bread.\n")), Some("short_lines".into()));
    assert_eq!(under(&format!("{five} {}", "Cheap pills without prescription! ".repeat(2))), Some("spam_words".into()));
    let lines = QualityConfig { min_words: 30, max_short_lines: 1.0, ..QualityConfig::web() };
    let broken = five.replace(". ", ".\n").replace(", ", ",\n").replace("and ", "\n\n\n\n\n\n\n\n\n");
    assert_eq!(reason_under(&broken, &lines), Some("line_breaks".into()));
}

#[test]
fn shares_are_of_characters_not_of_bytes() {
    // The repeated run has 25 of 66 characters, white space included.
    let page = "ééééé äääää ööööö üüüüü ååååå ".repeat(2) + "alphas";
    let config = |max| QualityConfig {
        min_words: 1,
        min_stop_words: 0,
        min_punctuated_lines: 0.0,
        max_top_ngram_chars: [1.0; 3],
        max_duplicate_ngram_chars: [max, 1.0, 1.0, 1.0, 1.0, 1.0],
        ..Default::default()
    };
    assert_eq!(reason_under(&page, &config(0.38)), None);
    assert_eq!(reason_under(&page, &config(0.37)), Some("duplicate_5_grams".into()));
}
