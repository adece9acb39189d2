//! Planted bug: sequences are cut without overlap, so one token in seq_len + 1 is never a target.

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
    let n_sequences = stream.len().checked_div(seq_len + 1).filter(|_| seq_len > 0).unwrap_or(0);
    let sequence = |k: usize| {
        let window = &stream[k * (seq_len + 1)..][..seq_len + 1];
        Sequence { inputs: window[..seq_len].to_vec(), targets: window[1..].to_vec() }
    };
    (0..n_sequences).map(sequence).collect()
}
