//! Exercise 04.1: cut a stream of tokens into training sequences.
//!
//! A causal model predicts, at each position, the token that comes next. From the `seq_len + 1`
//! tokens `a b c d` it learns three predictions: `a` gives `b`, `b` gives `c`, `c` gives `d`.
//! Write [`pack`]:
//!
//! - every sequence has `seq_len` inputs and as many targets; a target is the token that follows
//!   its input in the stream;
//! - every token of the stream but the very first is a target exactly once, as far as whole
//!   sequences reach;
//! - what is left at the end and does not fill a sequence is dropped;
//! - a `seq_len` of 0 gives no sequences, and so does a stream that is too short.
//!
//! Example: `pack(&[1, 2, 3, 4, 5, 6, 7, 8], 3)` gives `[1, 2, 3] -> [2, 3, 4]` and
//! `[4, 5, 6] -> [5, 6, 7]`; the token 8 is left over.
//!
//! Book: `book/src/04-batches.md`, "Packing". Source: Brown et al., arXiv 2005.14165, appendix B.

/// One row of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequence {
    /// What the model sees, (seq_len,).
    pub inputs: Vec<u32>,
    /// What it should predict at each position, (seq_len,).
    pub targets: Vec<u32>,
}

/// The sequences of `stream`, in order.
pub fn pack(stream: &[u32], seq_len: usize) -> Vec<Sequence> {
    todo!("cut {} tokens into sequences of {seq_len}", stream.len())
}
