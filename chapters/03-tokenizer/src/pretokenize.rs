//! Text cut into words ("pre-tokens") before any merge; no token ever crosses a cut.
//!
//! Problem: without cuts, BPE spends its vocabulary on phrases such as `of the` and on a word with each mark that may
//! follow it (`dog.`, `dog!`). GPT-2 cuts with one regular expression:
//!
//! ```text
//! 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//! ```
//!
//! In words: an English contraction; or letters, digits, or other marks, each with at most one space in front; or white
//! space. `\s+(?!\S)` leaves the last space of a run to the word that follows. The `regex` crate has no look-ahead
//! (that is what makes it linear in the length of the text), so that one rule is written by hand below.
//!
//! The pieces, joined, are the text: every character is a letter, a digit, white space or something else.
//!
//! Source: Radford et al. 2019, `encoder.py` of GPT-2.

use std::sync::LazyLock;

use regex::Regex;

// ANCHOR: pretokenize
/// Cuts `text` into words, in order; joined, they are `text` again.
pub fn pretokenize(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let found = WORD.find(rest)?;
        let (word, after) = rest.split_at(leave_last_space(found.as_str(), rest));
        rest = after;
        Some(word)
    })
}

/// Bytes of `matched` that belong to this word: a run of white space before a word leaves its last character to it.
fn leave_last_space(matched: &str, rest: &str) -> usize {
    let run_ends_the_text = matched.len() == rest.len();
    match matched.char_indices().next_back() {
        Some((last, c)) if last > 0 && c.is_whitespace() && !run_ends_the_text => last,
        _ => matched.len(),
    }
}

/// GPT-2's pattern without its look-ahead, which [`leave_last_space`] stands for.
static WORD: LazyLock<Regex> = LazyLock::new(|| {
    #[allow(clippy::expect_used)] // A constant pattern, compiled by every test.
    Regex::new(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+").expect("the pattern is valid")
});
// ANCHOR_END: pretokenize

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        pretokenize(text).collect()
    }

    #[test]
    fn cuts_as_gpt_2_does() {
        assert_eq!(words("It's 42 km,  really!"), ["It", "'s", " 42", " km", ",", " ", " really", "!"]);
        assert_eq!(words("a\n\n  b \n"), ["a", "\n\n ", " b", " \n"]);
        assert_eq!(words("a\tb"), ["a", "\t", "b"]);
        assert_eq!(words(""), Vec::<&str>::new());
    }
}
