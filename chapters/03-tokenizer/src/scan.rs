//! The patterns of [`pretokenize`](mod@crate::pretokenize), matched by hand: where does the word that begins here end?
//!
//! A regex engine with look-ahead runs a general machine over the text and may go back many times. These patterns need
//! neither: each alternative is told by the next one or two characters, and only o200k's letters ever step back. So each
//! function below reads a word's characters once or twice and never looks behind its beginning, which makes cutting
//! linear in the length of the text.
//!
//! Alternatives are tried in the pattern's order, as a backtracking engine does. The patterns stand beside their names in
//! [`Pattern::regex`](crate::Pattern::regex), and the tests compare with them.

use crate::{
    char_class::{CharClasses, LETTER, LOWER, NUMBER, SPACE, UPPER},
    pretokenize::Pattern,
};

// ANCHOR: scan
/// A text that is being cut.
pub(crate) struct Scan<'t> {
    text: &'t str,
    classes: &'static CharClasses,
}

impl<'t> Scan<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, classes: CharClasses::get() }
    }

    /// Where the word that begins at `at` ends; `at` must lie before the end of the text.
    #[inline]
    pub(crate) fn word_end(&self, pattern: Pattern, at: usize) -> usize {
        match pattern {
            Pattern::Gpt2 => self.gpt2(at),
            Pattern::Llama3 => self.cl100k(at, 3, TrailingSpace::ByLine),
            Pattern::Cl100k => self.cl100k(at, 3, TrailingSpace::Whole),
            Pattern::Qwen2 => self.cl100k(at, 1, TrailingSpace::ByLine),
            Pattern::O200k => self.o200k(at),
        }
    }

    fn gpt2(&self, at: usize) -> usize {
        if let Some(end) = self.contraction(at, Case::Lower) {
            return end;
        }
        let start = self.skip_one_space(at);
        match self.class_at(start) {
            Some(class) if class & LETTER != 0 => self.run(start, LETTER),
            Some(class) if class & NUMBER != 0 => self.run(start, NUMBER),
            Some(class) if class & SPACE == 0 => self.run_without(start, LETTER | NUMBER | SPACE),
            _ => self.leave_last_space(at, self.run(at, SPACE)),
        }
    }

    fn cl100k(&self, at: usize, longest_number: usize, trailing: TrailingSpace) -> usize {
        if let Some(end) = self.contraction(at, Case::Any) {
            return end;
        }
        let start = self.skip_prefix(at);
        if self.is(start, LETTER) {
            return self.run(start, LETTER);
        }
        self.number(at, longest_number)
            .or_else(|| self.marks(at, &['\r', '\n']))
            .unwrap_or_else(|| self.white_space(at, trailing))
    }

    fn o200k(&self, at: usize) -> usize {
        let starts = [self.skip_prefix(at), at];
        let capitals_then_small = starts.into_iter().find_map(|start| self.upper_then_lower(start));
        let capitals = || starts.into_iter().find_map(|start| self.not_empty(start, self.run(start, UPPER)));
        if let Some(end) = capitals_then_small.or_else(capitals) {
            return self.contraction(end, Case::Any).unwrap_or(end);
        }
        self.number(at, 3)
            .or_else(|| self.marks(at, &['\r', '\n', '/']))
            .unwrap_or_else(|| self.white_space(at, TrailingSpace::ByLine))
    }
}
// ANCHOR_END: scan

/// Which letters an English contraction may have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Lower,
    Any,
}

/// How white space at the end of the text is cut.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TrailingSpace {
    /// One word.
    Whole,
    /// After its last line feed or carriage return, as elsewhere.
    ByLine,
}

impl Scan<'_> {
    /// `'s|'t|'re|'ve|'m|'ll|'d`
    #[inline]
    fn contraction(&self, at: usize, case: Case) -> Option<usize> {
        let [b'\'', after @ ..] = self.text.as_bytes().get(at..)? else { return None };
        let lower = |byte: &u8| if case == Case::Any { byte.to_ascii_lowercase() } else { *byte };
        let n_bytes = match (after.first().map(lower)?, after.get(1).map(lower)) {
            (b's' | b't' | b'm' | b'd', _) => 2,
            (b'r' | b'v', Some(b'e')) | (b'l', Some(b'l')) => 3,
            // The long s: Unicode counts it as another case of s.
            (first, _) if case == Case::Any && first == LONG_S[0] && after.starts_with(&LONG_S) => 3,
            _ => return None,
        };
        Some(at + n_bytes)
    }

    /// `\p{N}{1,longest}`
    fn number(&self, at: usize, longest: usize) -> Option<usize> {
        let digits = self.text[at..].chars().take(longest).take_while(|&c| self.classes.of(c) & NUMBER != 0);
        self.not_empty(at, at + digits.map(char::len_utf8).sum::<usize>())
    }

    /// ` ?[^\s\p{L}\p{N}]+` and then any of `also`.
    fn marks(&self, at: usize, also: &[char]) -> Option<usize> {
        let start = self.skip_one_space(at);
        let end = self.not_empty(start, self.run_without(start, LETTER | NUMBER | SPACE))?;
        Some(self.text.len() - self.text[end..].trim_start_matches(also).len())
    }

    /// `\s*[\r\n]+|\s+(?!\S)|\s+`, or `\s+$` before them.
    fn white_space(&self, at: usize, trailing: TrailingSpace) -> usize {
        let end = self.run(at, SPACE);
        if trailing == TrailingSpace::Whole && end == self.text.len() {
            return end;
        }
        match self.text[at..end].rfind(['\r', '\n']) {
            Some(line_end) => at + line_end + 1,
            None => self.leave_last_space(at, end),
        }
    }

    /// `\s+(?!\S)|\s+` over a run of white space: unless the text ends there, its last character is left to the word that follows.
    fn leave_last_space(&self, at: usize, end: usize) -> usize {
        match self.text[at..end].char_indices().next_back() {
            Some((last, _)) if last > 0 && end < self.text.len() => at + last,
            _ => end,
        }
    }

    /// `[UPPER]*[LOWER]+`. A modifier letter or an accent is both, so the first part may have to give some back.
    fn upper_then_lower(&self, start: usize) -> Option<usize> {
        let end = self.run(start, UPPER);
        if self.is(end, LOWER) {
            return Some(self.run(end, LOWER));
        }
        let last_of_both = self.text[start..end].char_indices().rfind(|&(_, c)| self.classes.of(c) & LOWER != 0);
        last_of_both.map(|(place, c)| start + place + c.len_utf8())
    }

    /// `[^\r\n\p{L}\p{N}]?`
    #[inline]
    fn skip_prefix(&self, at: usize) -> usize {
        match self.text[at..].chars().next() {
            Some(c) if !matches!(c, '\r' | '\n') && self.classes.of(c) & (LETTER | NUMBER) == 0 => at + c.len_utf8(),
            _ => at,
        }
    }

    #[inline]
    fn skip_one_space(&self, at: usize) -> usize {
        at + usize::from(self.text.as_bytes().get(at) == Some(&b' '))
    }

    #[inline]
    fn class_at(&self, at: usize) -> Option<u8> {
        self.text[at..].chars().next().map(|c| self.classes.of(c))
    }

    #[inline]
    fn is(&self, at: usize, class: u8) -> bool {
        self.class_at(at).is_some_and(|found| found & class != 0)
    }

    /// The end of the run of characters that are of `class`.
    #[inline]
    fn run(&self, at: usize, class: u8) -> usize {
        self.run_while(at, |found| found & class != 0)
    }

    /// The end of the run of characters that are of none of `classes`.
    #[inline]
    fn run_without(&self, at: usize, classes: u8) -> usize {
        self.run_while(at, |found| found & classes == 0)
    }

    #[inline]
    fn run_while(&self, at: usize, holds: impl Fn(u8) -> bool) -> usize {
        let mut rest = self.text[at..].chars();
        loop {
            let before = rest.as_str().len();
            if !rest.next().is_some_and(|c| holds(self.classes.of(c))) {
                return self.text.len() - before;
            }
        }
    }

    #[inline]
    fn not_empty(&self, start: usize, end: usize) -> Option<usize> {
        (end > start).then_some(end)
    }
}

/// `ſ` in UTF-8.
const LONG_S: [u8; 2] = [0xC5, 0xBF];
