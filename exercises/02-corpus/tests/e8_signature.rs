//! Tests of exercise 02.8. The hashes of FNV-1a are published ones; the rest comes from exercises/reference.py.

use ex_corpus::e8_signature::{buckets, fnv1a, signature};

const PERMUTATIONS: [(u32, u32); 4] = [(1, 0), (3, 7), (2_654_435_761, 1), (0xdead_beef, 42)];

#[test]
fn the_hash_has_its_published_values() {
    assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
    assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
    assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8, "first the exclusive or, then the product");
}

#[test]
fn a_signature_is_the_same_on_every_machine() {
    let words = ["the", "doors", "in", "bakelo", "are", "red"];
    let expected = [57_442_431, 172_327_300, 1_106_894_681, 1_089_797_666];
    assert_eq!(
        signature(&words, 3, &PERMUTATIONS),
        expected,
        "computed by another program, which yours must agree with"
    );
}

#[test]
fn a_short_text_is_one_shingle_and_an_empty_one_none() {
    let expected = [4_061_823_934, 3_595_537_217, 2_121_000_031, 2_146_304_652];
    assert_eq!(
        signature(&["the", "doors"], 3, &PERMUTATIONS),
        expected,
        "two words in runs of three are one run of two"
    );
    assert_eq!(signature(&[], 3, &PERMUTATIONS), [u32::MAX; 4]);
}

#[test]
fn word_borders_count() {
    let (a, b) = (signature(&["ab", "c"], 2, &PERMUTATIONS), signature(&["a", "bc"], 2, &PERMUTATIONS));
    assert_ne!(a, b, "join the words of a run by a space");
}

#[test]
fn a_shingle_more_never_raises_a_place() {
    let words: Vec<String> = (0..50).map(|i| format!("w{i}")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut before = signature(&words[..3], 3, &PERMUTATIONS);
    for n in 4..=words.len() {
        let after = signature(&words[..n], 3, &PERMUTATIONS);
        assert!(before.iter().zip(&after).all(|(before, after)| after <= before), "a place is a minimum");
        before = after;
    }
}

#[test]
fn buckets_are_the_same_on_every_machine() {
    let expected = [0x7562_41e1_be8c_9396, 0x3c29_d233_8a39_1803];
    assert_eq!(buckets(&[1, 2, 3, 4, 5], 2), expected, "the fifth place is left over");
}

#[test]
fn pages_share_the_buckets_of_the_bands_in_which_they_agree() {
    let (a, b) = (buckets(&[1, 2, 3, 4, 5, 6], 2), buckets(&[1, 2, 9, 4, 5, 6], 2));
    assert_eq!([a[0] == b[0], a[1] == b[1], a[2] == b[2]], [true, false, true]);
}

#[test]
fn equal_places_in_different_bands_do_not_meet() {
    let found = buckets(&[7, 8, 7, 8], 2);
    assert_ne!(found[0], found[1], "the band's number is part of its bucket");
}
