//! Tests of exercise 07.5.
#![allow(clippy::unwrap_used)]

use ex_generation::e5_left_padding::{align, may_see, position};

fn prompts() -> Vec<Vec<u32>> {
    vec![vec![5, 6, 7], vec![8], vec![9, 0]]
}

/// Who sees whom in a row of `n` columns.
fn drawn(n: usize, n_padding: usize) -> String {
    let row = |query| (0..n).map(|key| if may_see(query, key, n_padding) { 'x' } else { '.' }).collect::<String>();
    (0..n).map(row).collect::<Vec<_>>().join(" ")
}

#[test]
fn all_end_in_the_last_column() {
    let aligned = align(&prompts(), 0).unwrap();
    assert_eq!(aligned.rows, [[5, 6, 7], [0, 0, 8], [0, 9, 0]], "padding stands in front");
    assert_eq!(aligned.n_padding, [0, 2, 1], "a token that equals the padding is a token");
}

#[test]
fn positions_count_tokens_and_not_columns() {
    assert_eq!((0..3).map(|column| position(column, 0)).collect::<Vec<_>>(), [Some(0), Some(1), Some(2)]);
    assert_eq!((0..3).map(|column| position(column, 2)).collect::<Vec<_>>(), [None, None, Some(0)]);
    assert_eq!(position(7, 2), Some(5), "the next tokens go on from there");
}

#[test]
fn without_padding_it_is_the_causal_mask() {
    assert_eq!(drawn(4, 0), "x... xx.. xxx. xxxx");
}

#[test]
fn nobody_looks_at_padding() {
    assert_eq!(drawn(4, 2), "x... .x.. ..x. ..xx", "only padding itself, at itself");
    for query in 2..6 {
        assert!(!may_see(query, 0, 2) && !may_see(query, 1, 2), "column {query} looks at padding");
    }
}

#[test]
fn every_column_sees_something() {
    for (query, n_padding) in (0..6).flat_map(|query| (0..6).map(move |n| (query, n))) {
        assert!(may_see(query, query, n_padding), "column {query} with {n_padding} columns of padding: NaN");
    }
}

#[test]
fn a_token_sees_the_same_text_as_alone() {
    for n_padding in 0..4 {
        for query in n_padding..8 {
            let seen: Vec<usize> = (0..8)
                .filter(|key| may_see(query, *key, n_padding))
                .filter_map(|key| position(key, n_padding))
                .collect();
            let alone: Vec<usize> = (0..=query - n_padding).collect();
            assert_eq!(seen, alone, "column {query} with {n_padding} columns of padding");
        }
    }
}

#[test]
fn prompts_without_a_token_are_an_error() {
    let error = align(&[vec![1], vec![], vec![2]], 0).expect_err("an empty prompt");
    assert!(error.contains('1'), "name the number of the prompt, not: {error}");
    assert!(align(&[], 0).is_err(), "no prompt at all");
}
