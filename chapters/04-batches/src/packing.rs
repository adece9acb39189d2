//! The stream cut into sequences of equal length.
//!
//! Sequence k is the `seq_len + 1` tokens from place k × `seq_len`. Its first `seq_len` tokens are the inputs, its last
//! `seq_len` the targets: the model sees token t and predicts token t + 1.
//!
//! ```text
//! stream   a b c d e f g h i j        seq_len 3, 10 tokens
//! seq 0    a b c d                    inputs a b c   targets b c d
//! seq 1          d e f g              inputs d e f   targets e f g
//! seq 2                g h i j
//! ```
//!
//! Neighbours share one token, so every token but the very first is a target exactly once, and no position is
//! wasted on padding. Up to `seq_len - 1` tokens at the end of the stream are left over.

// ANCHOR: packing
/// Whole sequences in a stream: (n_tokens - 1) / seq_len, since the first token is nobody's target.
/// A `seq_len` of 0 gives none.
pub fn n_sequences(n_tokens: u64, seq_len: usize) -> u64 {
    n_tokens.saturating_sub(1).checked_div(seq_len as u64).unwrap_or(0)
}

/// The place in the stream of the first token of `sequence`.
pub fn sequence_start(sequence: u64, seq_len: usize) -> u64 {
    sequence * seq_len as u64
}
// ANCHOR_END: packing
