//! Exercise 09.3: causal attention of one head, in blocks.
//!
//! ```text
//! s_ij = q_i . k_j / sqrt(head_dim)     for j <= i, the keys that query i may see
//! p_ij = softmax of row i
//! o_i  = sum over j of p_ij v_j
//! ```
//!
//! A matrix of all scores would have `seq_len^2` numbers. Write [`causal_attention`] without it: a
//! block of `block` queries goes through the keys in blocks of `block`, with the online softmax of
//! exercise 09.2. A new maximum repairs the output so far, and at the end each row is divided by
//! its sum. Return the log-sum-exp of each row of scores: a backward pass gets the weights back
//! from it.
//!
//! A block of keys that begins after the last query of the block is not read at all: whatever is
//! there, NaN included, must not reach the result. Room for scores is `block^2` numbers.
//!
//! Shapes: `q`, `k`, `v`, `out` `(seq_len, head_dim)` flat; the result has `seq_len` numbers.
//! `block` is at least 1 and need not divide `seq_len`. `out` may hold anything before.
//!
//! Example: the first query sees one key. Its weight is 1, its output is `v_0`, and its log-sum-exp
//! is its only score.
//!
//! Book: `book/src/09-kernels.md`. Source: Dao, arXiv 2307.08691, algorithm 1.

/// Writes attention to `out` and returns the log-sum-exp of each row of scores.
pub fn causal_attention(q: &[f64], k: &[f64], v: &[f64], head_dim: usize, block: usize, out: &mut [f64]) -> Vec<f64> {
    todo!("{q:?} {k:?} {v:?} {head_dim} {block} {out:?}")
}
