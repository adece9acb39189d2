//! What kind of character this is: a letter, a digit, white space, or something else.
//!
//! Problem: every pattern that cuts words asks for `\p{L}`, `\p{N}` and `\s`, once a character. A search through ranges
//! takes twenty steps; a table takes one. A flat table of all 1,114,112 code points would fill a second-level cache, but
//! most blocks of 256 are alike, so a block is stored once and a first table says which block is whose.
//!
//! The ranges come from `regex-syntax`, which holds Unicode's own tables: this chapter and the `regex` and `fancy-regex`
//! crates agree on what a letter is.
//!
//! Source: Unicode Standard Annex 44, property `General_Category`; the two-stage table is chapter 5.1 of the standard.

use std::{collections::HashMap, sync::LazyLock};

use regex_syntax::hir::{Class, HirKind};

/// A letter, `\p{L}`.
pub const LETTER: u8 = 1;
/// A digit or another number, `\p{N}`.
pub const NUMBER: u8 = 2;
/// White space, `\s`.
pub const SPACE: u8 = 4;
/// What a capitalised beginning may consist of: `\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}`.
pub const UPPER: u8 = 8;
/// What the rest of a word may consist of: `\p{Ll}\p{Lm}\p{Lo}\p{M}`.
pub const LOWER: u8 = 16;

const PATTERNS: [(u8, &str); 5] = [
    (LETTER, r"\p{L}"),
    (NUMBER, r"\p{N}"),
    (SPACE, r"\s"),
    (UPPER, r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"),
    (LOWER, r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"),
];

const BLOCK: usize = 256;
const N_BLOCKS: usize = (char::MAX as usize + 1) / BLOCK;

/// The classes of all characters.
pub struct CharClasses {
    block_of: Vec<u16>,
    blocks: Vec<[u8; BLOCK]>,
}

impl CharClasses {
    /// The table, made when it is first asked for.
    pub fn get() -> &'static Self {
        static TABLE: LazyLock<CharClasses> = LazyLock::new(CharClasses::from_unicode);
        &TABLE
    }

    /// The classes of `c`, as a sum of this file's constants; 0 for any other character.
    #[inline]
    pub fn of(&self, c: char) -> u8 {
        let code = c as usize;
        self.blocks[usize::from(self.block_of[code / BLOCK])][code % BLOCK]
    }

    fn from_unicode() -> Self {
        let mut flat = vec![[0_u8; BLOCK]; N_BLOCKS];
        for (class, pattern) in PATTERNS {
            for code in code_points(pattern) {
                flat[code / BLOCK][code % BLOCK] |= class;
            }
        }
        let (mut blocks, mut seen) = (Vec::new(), HashMap::new());
        let mut place = |block: [u8; BLOCK]| {
            *seen.entry(block).or_insert_with(|| {
                blocks.push(block);
                blocks.len() as u16 - 1
            })
        };
        let block_of = flat.into_iter().map(&mut place).collect();
        Self { block_of, blocks }
    }
}

/// The code points in a class of characters.
fn code_points(class: &str) -> impl Iterator<Item = usize> {
    #[allow(clippy::expect_used)] // Constant patterns, parsed by every test.
    let parsed = regex_syntax::parse(class).expect("the class is valid");
    let ranges = match parsed.into_kind() {
        HirKind::Class(Class::Unicode(class)) => class.ranges().to_vec(),
        _ => Vec::new(),
    };
    ranges.into_iter().flat_map(|range| range.start() as usize..=range.end() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_some_characters() {
        let of = |c| CharClasses::get().of(c);
        assert_eq!((of('a'), of('A'), of('7'), of(' '), of('!')), (LETTER | LOWER, LETTER | UPPER, NUMBER, SPACE, 0));
        assert_eq!((of('東'), of('½'), of('\u{3000}')), (LETTER | UPPER | LOWER, NUMBER, SPACE));
        // A combining accent is no letter, but belongs to a word in o200k's pattern.
        assert_eq!((of('\u{301}'), of(char::MAX)), (UPPER | LOWER, 0));
    }

    #[test]
    fn white_space_is_what_rust_calls_white_space() {
        assert!(
            (0..=char::MAX as u32)
                .filter_map(char::from_u32)
                .all(|c| { (CharClasses::get().of(c) & SPACE != 0) == c.is_whitespace() })
        );
    }
}
