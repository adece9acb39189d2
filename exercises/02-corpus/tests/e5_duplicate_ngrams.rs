//! Tests of exercise 02.5. The counts were made by hand, the long one by datatrove 0.10.1.

use ex_corpus::e5_duplicate_ngrams::duplicate_share;

#[track_caller]
fn is(text: &str, n: usize, repeated: usize, of: usize, why: &str) {
    let (share, expected) = (duplicate_share(text, n), repeated as f64 / of as f64);
    assert!((share - expected).abs() < 1e-12, "{why}: {share} instead of {repeated}/{of} of {text:?}");
}

#[test]
fn the_example() {
    is("a b a b a b", 2, 4, 11, "step over each repeated run");
}

#[test]
fn no_character_counts_twice() {
    // Runs of two: "a a" is new, then the same run starts at the second word and is stepped over.
    is("a a a a a", 2, 4, 9, "a run is stepped over once it is counted");
}

#[test]
fn a_run_is_its_words_and_not_their_letters() {
    is("ab c x a bc y", 2, 0, 13, "`ab c` is not `a bc`");
}

#[test]
fn white_space_is_in_the_length_of_the_text_alone() {
    is("one two.  one two.", 2, 7, 18, "the spaces belong to the text and not to the run");
}

#[test]
fn characters_are_not_bytes() {
    is("éé üü éé üü", 2, 4, 11, "é is one character of two bytes");
}

#[test]
fn the_first_occurrence_is_no_repetition() {
    is("the sea is wide and the boat is old", 3, 0, 35, "nothing repeats");
}

#[test]
fn short_and_empty_texts() {
    assert_eq!(duplicate_share("", 5), 0.0, "no characters, no share");
    assert_eq!(duplicate_share("   ", 1), 0.0);
    assert_eq!(duplicate_share("a b c", 5), 0.0, "fewer words than a run");
}

#[test]
fn as_datatrove_measures() {
    let text = "He said: the wind is back! a boat a boat and the wind is back! a boat a boat and the sea";
    is(text, 5, 30, 88, "five words");
    is(text, 3, 27, 88, "three words");
}
