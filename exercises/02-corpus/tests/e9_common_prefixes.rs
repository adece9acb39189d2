//! Tests of exercise 02.9.

use std::cell::Cell;

use ex_corpus::e9_common_prefixes::common_prefixes;

fn suffixes(text: &[u8]) -> Vec<usize> {
    let mut suffixes: Vec<usize> = (0..text.len()).collect();
    suffixes.sort_unstable_by_key(|&start| &text[start..]);
    suffixes
}

/// Each pair compared from its beginning.
fn slowly(text: &[u8], suffixes: &[usize]) -> Vec<usize> {
    let common = |a: &[u8], b: &[u8]| a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let mut prefixes = vec![0; suffixes.len()];
    for k in 1..suffixes.len() {
        prefixes[k] = common(&text[suffixes[k - 1]..], &text[suffixes[k]..]);
    }
    prefixes
}

#[test]
fn the_banana() {
    let text = b"banana";
    assert_eq!(suffixes(text), [5, 3, 1, 0, 4, 2]);
    assert_eq!(common_prefixes(6, |i| text[i], &[5, 3, 1, 0, 4, 2]), [0, 1, 3, 0, 0, 2]);
}

#[test]
fn letters_that_differ_share_nothing() {
    assert!(common_prefixes(0, |_| unreachable!("there is no byte"), &[]).is_empty());
    assert_eq!(common_prefixes(1, |_| b'a', &[0]), [0]);
    assert_eq!(common_prefixes(3, |i| b"abc"[i], &[0, 1, 2]), [0, 0, 0]);
}

#[test]
fn a_suffix_may_end_where_the_other_goes_on() {
    assert_eq!(common_prefixes(3, |i| b"aaa"[i], &[2, 1, 0]), [0, 1, 2]);
}

/// All texts of up to seven letters of two kinds, and some longer ones.
#[test]
fn as_comparing_from_the_beginning() {
    let mut texts: Vec<Vec<u8>> = Vec::new();
    for length in 0..8 {
        texts.extend((0..1u32 << length).map(|bits| (0..length).map(|i| b'a' + (bits >> i & 1) as u8).collect()));
    }
    let sentence = "the cat sat on the mat, and the cat sat on the map, and on the cat sat a rat. ".repeat(3);
    texts.push(sentence.into_bytes());
    texts.push((0..300u32).map(|i| b'a' + (i * i % 7) as u8).collect());
    for text in texts {
        let suffixes = suffixes(&text);
        let found = common_prefixes(text.len(), |i| text[i], &suffixes);
        assert_eq!(found, slowly(&text, &suffixes), "{:?}", String::from_utf8_lossy(&text));
    }
}

#[test]
fn the_text_is_looked_at_a_few_times_only() {
    for text in [vec![b'a'; 2000], b"ab".repeat(1000), b"abcdefghi".repeat(200)] {
        let n_looks = Cell::new(0);
        let byte = |i: usize| {
            n_looks.set(n_looks.get() + 1);
            text[i]
        };
        let suffixes = suffixes(&text);
        assert_eq!(common_prefixes(text.len(), byte, &suffixes), slowly(&text, &suffixes));
        let n = text.len();
        assert!(n_looks.get() <= 8 * n, "{} looks at a text of {n} bytes; keep what is known", n_looks.get());
    }
}
