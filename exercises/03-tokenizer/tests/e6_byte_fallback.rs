//! Tests of exercise 03.6. The bytes were looked up by hand.

use std::collections::HashMap;

use ex_tokenizer::e6_byte_fallback::first_symbols;

/// `<unk>` is 0, the byte `b` is 1 + b, and the characters follow from 1000 on.
fn vocab(characters: &str, has_byte: impl Fn(u8) -> bool) -> HashMap<String, u32> {
    let bytes =
        (0..=255_u8).filter(|&byte| has_byte(byte)).map(|byte| (format!("<0x{byte:02X}>"), 1 + u32::from(byte)));
    let characters = characters.chars().map(String::from).zip(1000..);
    bytes.chain(characters).chain([("<unk>".to_owned(), 0)]).collect()
}

const A: u32 = 1001;

#[test]
fn a_character_of_the_table_is_its_token() {
    let vocab = vocab("▁aé", |_| true);
    assert_eq!(first_symbols("aé", &vocab), [A, 1002], "é is one symbol, though it has two bytes");
    assert!(first_symbols("", &vocab).is_empty());
}

#[test]
fn a_space_is_the_mark() {
    let vocab = vocab("▁a", |_| true);
    assert_eq!(first_symbols("a  a", &vocab), [A, 1000, 1000, A], "not the byte 0x20");
}

#[test]
fn another_character_is_all_of_its_bytes_in_order() {
    let vocab = vocab("▁a", |_| true);
    assert_eq!(first_symbols("aé", &vocab), [A, 1 + 0xC3, 1 + 0xA9]);
    assert_eq!(first_symbols("🦀", &vocab), [1 + 0xF0, 1 + 0x9F, 1 + 0xA6, 1 + 0x80], "four bytes");
    assert_eq!(first_symbols("\n", &vocab), [1 + 0x0A], "two digits: <0x0A>");
}

#[test]
fn without_one_of_its_bytes_a_character_is_unknown_as_a_whole() {
    let vocab = vocab("▁a", |byte| byte != 0xA9);
    assert_eq!(first_symbols("é", &vocab), [0], "not the byte that is there and then something else");
    assert_eq!(first_symbols("aéa", &vocab), [A, 0, A]);
}

#[test]
fn unknown_neighbours_are_one() {
    let vocab = vocab("▁a", |_| false);
    assert_eq!(first_symbols("éé", &vocab), [0]);
    assert_eq!(first_symbols("ééaéé é", &vocab), [0, A, 0, 1000, 0], "something known lies between");
}
