//! One golden page for each quality rule, the reason that it must give, and its repair that must pass.
#![allow(clippy::unwrap_used)]

use corpus::quality::{QualityConfig, SPAM_WORDS, reject_reason};

const PROSE: &str = "The road to the harbour was long and the wind came from the sea. We walked slowly, and my sister \
    counted the boats that lay on the sand. An old man sold us bread and told stories of storms. When the sun went down \
    we had found a room with a window to the water.";

fn reason(text: &str) -> Option<&'static str> {
    reject_reason(text, &QualityConfig::default())
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
        ("too few words", "We were there, and it was good.".to_string()),
        ("unfinished", format!("{PROSE} Lorem ipsum dolor sit amet.")),
        ("spam words", format!("{PROSE} The {} and the {} wait.", SPAM_WORDS[0], SPAM_WORDS[1])),
        ("symbols", PROSE.replace(' ', " # ")),
        ("words without letters", format!("{PROSE} {}", "12 93 7 ".repeat(10))),
        ("word length", format!("{PROSE} {}", "Donaudampfschifffahrtsgesellschaftskapitän ".repeat(15))),
        ("word length", "a b c d e f g of to be ".repeat(5)),
        ("bullet lines", PROSE.split(". ").map(|line| format!("- {line}.\n")).collect()),
        ("ellipsis lines", PROSE.replace(". ", "...\n")),
        ("repeated lines", format!("{PROSE}\n{}", "Thank you.\n".repeat(4))),
        ("repeated runs", format!("{PROSE} {PROSE}")),
        ("few stop words", keywords.replace(',', ".")),
        ("few sentences", PROSE.replace(['.', ','], "\n")),
    ];
    for (rule, page) in cases {
        assert_eq!(reason(&page), Some(rule), "{page}");
    }
}

#[test]
fn a_rule_can_be_switched_off() {
    let page = format!("{PROSE}\n{}", "Thank you.\n".repeat(4));
    let config = QualityConfig { max_repeated_lines: 1.0, ..Default::default() };
    assert_eq!(reject_reason(&page, &config), None);
}

#[test]
fn too_many_words_is_a_rule_too() {
    let config = QualityConfig { min_words: 1, max_words: 10, ..Default::default() };
    assert_eq!(reject_reason(PROSE, &config), Some("too many words"));
}

#[test]
fn code_is_not_judged_as_prose() {
    let code = format!("```\n{}```\n", "let x = [1, 2, 3]; // ### ...\n".repeat(10));
    assert_eq!(reason(&code), None);
    assert_eq!(reason(&format!("{PROSE}\n{code}")), None);
}

#[test]
fn one_unwanted_word_in_a_long_page_is_no_spam() {
    assert_eq!(reason(&format!("{PROSE} {PROSE}").replace("We walked slowly", SPAM_WORDS[3])), Some("repeated runs"));
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
fn repeated_runs_are_a_share_of_characters_not_of_bytes() {
    // The repeated run has 25 of 55 characters, and 50 of 105 bytes.
    let page = "ééééé äääää ööööö üüüüü ååååå ".repeat(2) + "alpha";
    let config = |max_repeated_runs| QualityConfig {
        min_words: 1,
        min_stop_words: 0,
        min_sentence_lines: 0.0,
        max_repeated_runs,
        ..Default::default()
    };
    assert_eq!(reject_reason(&page, &config(0.46)), None);
    assert_eq!(reject_reason(&page, &config(0.45)), Some("repeated runs"));
}
