//! Tests of exercise 03.2. The expected ids were worked out by hand.

use ex_tokenizer::e2_encode::{Pair, encode, merge};

fn pair(left: u8, right: u8) -> Pair {
    (left.into(), right.into())
}

/// The bytes that `ids` stand for.
fn decode(ids: &[u32], merges: &[Pair]) -> Vec<u8> {
    ids.iter()
        .flat_map(|&id| match u8::try_from(id) {
            Ok(byte) => vec![byte],
            Err(_) => {
                let (left, right) = merges[id as usize - 256];
                decode(&[left, right], merges)
            }
        })
        .collect()
}

#[test]
fn merge_replaces_every_occurrence() {
    assert_eq!(merge(&[1, 2, 3, 1, 2], (1, 2), 9), [9, 3, 9]);
    assert_eq!(merge(&[3, 1, 2], (1, 2), 9), [3, 9], "a pair at the very end counts too");
    assert_eq!(merge(&[2, 1], (1, 2), 9), [2, 1], "the order of the pair matters");
    assert_eq!(merge(&[1], (1, 2), 9), [1]);
    assert!(merge(&[], (1, 2), 9).is_empty());
}

#[test]
fn merge_goes_from_left_to_right_without_overlap() {
    assert_eq!(merge(&[7, 7, 7], (7, 7), 9), [9, 7], "the middle 7 is used up by the first merge");
    assert_eq!(merge(&[7, 7, 7, 7], (7, 7), 9), [9, 9]);
}

#[test]
fn without_merges_the_bytes_remain() {
    assert_eq!(encode("né".as_bytes(), &[]), [110, 195, 169]);
    assert!(encode(b"", &[pair(b'a', b'b')]).is_empty());
}

#[test]
fn the_lowest_rank_goes_first_not_the_leftmost_pair() {
    let merges = [pair(b'b', b'c'), pair(b'a', b'b')];
    assert_eq!(encode(b"abc", &merges), [97, 256], "(b, c) was learned before (a, b)");
    assert_eq!(encode(b"abab", &merges), [257, 257], "the merge of rank 1 makes the id 257");
}

#[test]
fn merges_build_on_merges() {
    // 256 = "lo", 257 = "low", 258 = "er", 259 = "lower".
    let merges = [pair(b'l', b'o'), (256, b'w'.into()), pair(b'e', b'r'), (257, 258)];
    assert_eq!(encode(b"lower", &merges), [259], "go on until no pair is left to merge");
    assert_eq!(encode(b"slow", &merges), [115, 257]);
    assert_eq!(encode(b"wolf", &merges), [119, 111, 108, 102]);
}

#[test]
fn decoding_gives_the_bytes_back() {
    let merges = [pair(b'a', b'a'), (256, 256), pair(b'b', b'a'), (258, 256), (257, 97)];
    for word in ["aaaaaaa", "baabaaaab", "abba", "banana", "ünaa"] {
        let ids = encode(word.as_bytes(), &merges);
        assert_eq!(decode(&ids, &merges), word.as_bytes(), "{word} became {ids:?}, which is another text");
    }
}

#[test]
fn no_pair_is_left_to_merge() {
    let merges = [pair(b'a', b'a'), (256, 256), pair(b'b', b'a'), (258, 256), (257, 97)];
    for word in ["aaaaaaa", "baabaaaab", "abba", "banana"] {
        let ids = encode(word.as_bytes(), &merges);
        for pair in ids.windows(2) {
            let left_over = merges.contains(&(pair[0], pair[1]));
            assert!(!left_over, "{word} became {ids:?}, in which {pair:?} can still be merged");
        }
    }
}
