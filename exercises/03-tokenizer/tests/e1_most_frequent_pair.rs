//! Tests of exercise 03.1. The counts were made by hand.

use ex_tokenizer::e1_most_frequent_pair::most_frequent_pair;

/// `("hug", 10)` as token ids: one id a letter.
fn word(text: &str, count: u64) -> (Vec<u32>, u64) {
    (text.bytes().map(u32::from).collect(), count)
}

fn pair(text: &str) -> (u32, u32) {
    let ids: Vec<u32> = text.bytes().map(u32::from).collect();
    (ids[0], ids[1])
}

#[test]
fn counts_over_all_words() {
    // "ug" 10 + 5 + 5 = 20, "un" 12 + 4 = 16, "hu" 10 + 5 = 15.
    let words = [word("hug", 10), word("pug", 5), word("pun", 12), word("bun", 4), word("hugs", 5)];
    assert_eq!(most_frequent_pair(&words), Some((pair("ug"), 20)));
}

#[test]
fn a_word_weighs_as_often_as_it_occurs() {
    // "ab" stands in three words, "cd" in one that occurs more often than these together.
    let words = [word("abx", 1), word("aby", 1), word("abz", 1), word("cd", 4)];
    assert_eq!(most_frequent_pair(&words), Some((pair("cd"), 4)), "add the count of the word, not 1");
}

#[test]
fn every_place_in_a_word_counts() {
    assert_eq!(most_frequent_pair(&[word("xabyab", 3)]), Some((pair("ab"), 6)));
    assert_eq!(most_frequent_pair(&[word("aaa", 2)]), Some((pair("aa"), 4)), "aaa has the pair aa at two places");
}

#[test]
fn a_tie_goes_to_the_smallest_pair() {
    let words = [word("zy", 5), word("ab", 5), word("ac", 5), word("ba", 5)];
    assert_eq!(most_frequent_pair(&words), Some((pair("ab"), 5)), "smallest first id, then smallest second id");
    let reversed: Vec<_> = words.into_iter().rev().collect();
    assert_eq!(most_frequent_pair(&reversed), Some((pair("ab"), 5)), "whatever the order of the words");
}

#[test]
fn a_tie_among_many_is_the_same_in_every_run() {
    let words: Vec<_> = (0..200).map(|i| (vec![500 - i, i], 1)).collect();
    for _ in 0..20 {
        assert_eq!(
            most_frequent_pair(&words),
            Some(((301, 199), 1)),
            "a HashMap is walked in another order each time; the tie rule must decide"
        );
    }
}

#[test]
fn pairs_stay_inside_words() {
    // Across the word boundaries "ba" would occur.
    let words = [word("ab", 1), word("a", 9), word("b", 9), word("a", 9)];
    assert_eq!(most_frequent_pair(&words), Some((pair("ab"), 1)), "a pair never reaches into the next word");
}

#[test]
fn nothing_to_merge() {
    assert_eq!(most_frequent_pair(&[]), None);
    assert_eq!(most_frequent_pair(&[word("a", 7), word("", 3)]), None, "a single id has no neighbour");
}
