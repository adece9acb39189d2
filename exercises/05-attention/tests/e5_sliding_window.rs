//! Tests of exercise 05.5.
#![allow(clippy::unwrap_used)]

use ex_attention::e5_sliding_window::{reach, window_mask};

/// The mask as text, `x` where a query may look.
fn drawn(q_len: usize, kv_len: usize, window: usize) -> String {
    let mask = window_mask(q_len, kv_len, window).unwrap();
    let row = |row: &Vec<bool>| row.iter().map(|seen| if *seen { 'x' } else { '.' }).collect::<String>();
    mask.iter().map(row).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_window_of_two_is_the_token_and_its_neighbour() {
    assert_eq!(drawn(3, 3, 2), "x.. xx. .xx", "the window counts the token itself");
    assert_eq!(drawn(3, 3, 1), "x.. .x. ..x", "a window of 1 is the token alone");
}

#[test]
fn no_token_sees_more_than_the_window() {
    for window in 1..8 {
        for (position, row) in window_mask(10, 10, window).unwrap().iter().enumerate() {
            let n_seen = row.iter().filter(|seen| **seen).count();
            assert_eq!(n_seen, window.min(position + 1), "position {position}, window {window}");
            assert!(row[position], "position {position} does not see itself");
        }
    }
}

#[test]
fn the_future_stays_hidden() {
    assert_eq!(drawn(4, 4, 4), "x... xx.. xxx. xxxx", "a window as long as the text is the causal mask");
    assert_eq!(drawn(4, 4, 100), "x... xx.. xxx. xxxx", "and a longer one too");
}

#[test]
fn cached_keys_shift_the_window() {
    assert_eq!(drawn(1, 6, 3), "...xxx", "the one query is the last of six positions");
    assert_eq!(drawn(2, 5, 2), "..xx. ...xx");
}

#[test]
fn layers_hand_information_on() {
    // Follow who can influence whom through the layers, by the masks themselves.
    for (n_layers, window) in [(1, 4), (2, 3), (3, 2), (4, 1), (2, 4)] {
        let n = 16;
        let mask = window_mask(n, n, window).unwrap();
        let mut influences: Vec<bool> = (0..n).map(|position| position == n - 1).collect();
        for _ in 0..n_layers {
            influences = (0..n).map(|key| (0..n).any(|query| influences[query] && mask[query][key])).collect();
        }
        let farthest = n - 1 - influences.iter().position(|seen| *seen).unwrap();
        assert_eq!(reach(n_layers, window), farthest, "{n_layers} layers with a window of {window}");
    }
}

#[test]
fn impossible_sizes_are_errors() {
    let error = window_mask(3, 2, 1).expect_err("3 queries are more than 2 positions");
    assert!(error.contains('3') && error.contains('2'), "name both numbers, not: {error}");
    assert!(window_mask(2, 2, 0).is_err(), "a window of 0 shows a token nothing, not even itself");
}
