//! Exercise 03.4: cut numbers into groups of three.
//!
//! BPE on whole numbers makes tokens such as `1984` and cuts their neighbours somewhere else, which
//! makes arithmetic hard to learn. GPT-4 and Llama 3 cut each run of digits into groups of at most
//! three **from the left**, before any merge. Write [`cut_numbers`], which cuts `text` into
//!
//! - groups of one to three digits (`char::is_numeric`: also `½`, `Ⅷ` and the digits of other
//!   scripts, which have more than one byte);
//! - the texts between the numbers, whole.
//!
//! In order, without empty pieces; joined, they are `text`. A run of seven digits gives 3 + 3 + 1.
//! Example: `cut_numbers("in 1984!")` is `["in ", "198", "4", "!"]`.
//!
//! Book: `book/src/03-tokenizer.md`. Source: `tiktoken_ext/openai_public.py`, `\p{N}{1,3}`.

/// The numbers of `text` in groups of at most three digits, and what lies between them.
pub fn cut_numbers(text: &str) -> Vec<&str> {
    todo!("cut {text:?}")
}
