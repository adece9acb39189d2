//! Exercise 07.5: prompts of different lengths, side by side.
//!
//! A batch is a rectangle, and prompts are not equally long. They are filled up in front, so that all end in the
//! last column, where the next token of each is computed. What stands in front is no token: nobody may look at
//! it, and it must not shift the positions of the tokens behind it. Write
//!
//! - [`align`]: rows of equal length, and how many columns of each are padding;
//! - [`position`]: where the token in a column stands in its text, or `None` for padding;
//! - [`may_see`]: whether the query in one column may look at the key in another. Causal, and never at padding;
//!   but a column of padding sees itself, because a softmax over nothing is NaN.
//!
//! No prompts, or an empty one, are an error: an empty prompt is named by its number.
//!
//! Example: `[[5, 6, 7], [8]]` with `pad` 0 becomes the rows `[5, 6, 7]` and `[0, 0, 8]`, with 0 and 2 columns of
//! padding. The 8 has position 0.
//!
//! Book: `book/src/07-generation.md`. Source: Wolf et al. (transformers), arXiv 1910.03771; the library's guide on
//! generation, "Padding side".

/// Prompts that end in the same column.
#[derive(Debug, PartialEq, Eq)]
pub struct Aligned {
    /// One row a prompt, all equally long.
    pub rows: Vec<Vec<u32>>,
    /// For each row, how many of its first columns are padding.
    pub n_padding: Vec<usize>,
}

/// Fills the prompts up with `pad` in front.
///
/// # Errors
/// When there is no prompt, or one is empty.
pub fn align(prompts: &[Vec<u32>], pad: u32) -> Result<Aligned, String> {
    todo!("fill up {prompts:?} with {pad}")
}

/// The position of the token in `column`; `None` for padding.
pub fn position(column: usize, n_padding: usize) -> Option<usize> {
    todo!("the position of column {column} behind {n_padding} of padding")
}

/// Whether the query in one column may look at the key in another, in a row with so much padding.
pub fn may_see(query: usize, key: usize, n_padding: usize) -> bool {
    todo!("may {query} see {key} with {n_padding} of padding?")
}
