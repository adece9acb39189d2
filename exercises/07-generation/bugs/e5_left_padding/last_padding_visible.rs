//! Planted bug: one column of padding remains visible.

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
    if let Some(number) = prompts.iter().position(Vec::is_empty) {
        return Err(format!("prompt {number} has no token; a model continues something"));
    }
    let longest = prompts.iter().map(Vec::len).max().ok_or("there is no prompt")?;
    let n_padding: Vec<usize> = prompts.iter().map(|prompt| longest - prompt.len()).collect();
    let rows = prompts.iter().zip(&n_padding).map(|(prompt, n)| [vec![pad; *n], prompt.clone()].concat()).collect();
    Ok(Aligned { rows, n_padding })
}

/// The position of the token in `column`; `None` for padding.
pub fn position(column: usize, n_padding: usize) -> Option<usize> {
    column.checked_sub(n_padding)
}

/// Whether the query in one column may look at the key in another, in a row with so much padding.
pub fn may_see(query: usize, key: usize, n_padding: usize) -> bool {
    key == query || key < query && key + 1 >= n_padding
}
