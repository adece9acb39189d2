//! Tests of exercise 03.5. The oracle counts the pairs of the new word anew.

use std::collections::HashMap;

use ex_tokenizer::e5_update_counts::{Pair, merge_and_update};

fn recount(word: &[u32], n_times: i64) -> HashMap<Pair, i64> {
    let mut counts = HashMap::new();
    for pair in word.windows(2) {
        *counts.entry((pair[0], pair[1])).or_default() += n_times;
    }
    counts
}

/// The new word, and its counts without those that fell to 0.
fn updated(word: &[u32], pair: Pair, n_times: i64) -> (Vec<u32>, HashMap<Pair, i64>) {
    let (mut new_word, mut counts) = (word.to_vec(), recount(word, n_times));
    merge_and_update(&mut new_word, pair, 99, n_times, &mut counts);
    counts.retain(|_, count| *count != 0);
    (new_word, counts)
}

#[test]
fn the_pairs_around_a_join_change() {
    let (word, counts) = updated(&[1, 2, 3, 4], (2, 3), 1);
    assert_eq!(word, [1, 99, 4]);
    assert_eq!(counts, HashMap::from([((1, 99), 1), ((99, 4), 1)]), "(1, 2), (2, 3) and (3, 4) are gone");
}

#[test]
fn a_word_without_the_pair_stays_as_it_is() {
    let (word, counts) = updated(&[4, 5, 6], (1, 2), 3);
    assert_eq!(word, [4, 5, 6]);
    assert_eq!(counts, HashMap::from([((4, 5), 3), ((5, 6), 3)]));
}

#[test]
fn a_word_counts_as_often_as_it_occurs() {
    let (_, counts) = updated(&[1, 2, 3], (1, 2), 500);
    assert_eq!(counts, HashMap::from([((99, 3), 500)]));
}

#[test]
fn joins_that_touch_see_each_other() {
    let (word, counts) = updated(&[1, 2, 1, 2, 1, 2], (1, 2), 1);
    assert_eq!(word, [99, 99, 99]);
    assert_eq!(counts, HashMap::from([((99, 99), 2)]));
}

#[test]
fn other_words_counts_stay() {
    let mut counts = recount(&[1, 2, 3, 1, 2], 1);
    counts.insert((7, 8), 5);
    *counts.entry((1, 2)).or_default() += 10;
    merge_and_update(&mut vec![1, 2, 3, 1, 2], (1, 2), 99, 1, &mut counts);
    assert_eq!((counts[&(7, 8)], counts[&(1, 2)], counts[&(3, 99)]), (5, 10, 1), "the other words still have (1, 2)");
}

#[test]
fn counts_are_what_recounting_gives() {
    let mut state = 1_u32;
    let mut draw = |n: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % n
    };
    for _ in 0..500 {
        let word: Vec<u32> = (0..draw(9)).map(|_| draw(3)).collect();
        let (left, right) = (draw(3), draw(3));
        let (new_word, counts) = updated(&word, (left, right), 3);
        assert_eq!(counts, recount(&new_word, 3), "{word:?} with ({left}, {right}) joined");
    }
}
