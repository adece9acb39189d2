//! Exercise 05.2: rotary positions.
//!
//! Attention by itself does not know the order of tokens. Rotary position embedding turns each
//! query and key by an angle that grows with its position, so that their dot product depends only
//! on how far they are apart. Write [`apply_rope`].
//!
//! A head of `head_dim` numbers is `head_dim / 2` points in the plane. In the convention of Llama
//! and Hugging Face, point `i` has the coordinates `x[i]` and `x[i + head_dim / 2]` (halves; the
//! paper pairs neighbours `x[2i]`, `x[2i + 1]`). At position `p` point `i` turns by the angle `a`:
//!
//! ```text
//! a                   = p * theta^(-2i / head_dim)
//! y[i]                = x[i] cos(a) - x[i + head_dim / 2] sin(a)
//! y[i + head_dim / 2] = x[i] sin(a) + x[i + head_dim / 2] cos(a)
//! ```
//!
//! Shapes: `x` and the result `(batch, n_heads, seq_len, head_dim)`, f32. Token `s` of the sequence
//! stands at position `start + s`; while generating, `start` is the number of cached tokens. An odd
//! `head_dim` is an error that names it.
//!
//! Example: `head_dim` 2, position 1: `[1, 0]` becomes `[cos 1, sin 1]`, about `[0.5403, 0.8415]`.
//!
//! Book: `book/src/05-attention.md`. Source: Su et al., arXiv 2104.09864, section 3.2.

use candle_core::{Result, Tensor};

/// `x` turned by its positions `start..start + seq_len`; `(batch, n_heads, seq_len, head_dim)` in
/// and out.
///
/// # Errors
/// When `head_dim` is odd or `x` has not four dimensions.
pub fn apply_rope(x: &Tensor, start: usize, theta: f64) -> Result<Tensor> {
    todo!("turn {:?} from position {start}, theta {theta}", x.shape())
}
