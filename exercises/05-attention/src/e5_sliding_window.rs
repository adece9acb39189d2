//! Exercise 05.5: a sliding window.
//!
//! Attention over a long text costs work and memory for every earlier token. With a sliding window a
//! token looks at the last `window` positions only, its own among them. Write
//!
//! - [`window_mask`]: who may look at whom; row `i`, column `j` is true where query `i` may see key `j`;
//! - [`reach`]: how many positions back the output at a position can depend on, after `n_layers` layers.
//!   A window hides a token from the query, and not from everyone between: each layer hands on what it
//!   saw, so information travels `window - 1` positions a layer.
//!
//! As in exercise 05.1 the `q_len` queries are the last of `kv_len` positions. More queries than keys, or
//! a window of 0, are errors that name the numbers.
//!
//! Example: window 2, three queries on three keys:
//!
//! ```text
//! x . .
//! x x .
//! . x x
//! ```
//!
//! Book: `book/src/05-attention.md`. Source: Jiang et al. (Mistral 7B), arXiv 2310.06825, section 2.

/// Whether query `i` may see key `j`: `q_len` rows of `kv_len`.
///
/// # Errors
/// When there are more queries than keys, or the window is 0.
pub fn window_mask(q_len: usize, kv_len: usize, window: usize) -> Result<Vec<Vec<bool>>, String> {
    todo!("a mask of {q_len} x {kv_len} with a window of {window}")
}

/// How many positions back an output can depend on, after `n_layers` layers with this window.
pub fn reach(n_layers: usize, window: usize) -> usize {
    todo!("the reach of {n_layers} layers with a window of {window}")
}
