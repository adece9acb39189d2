//! Planted bug: what is left over becomes a short sequence.

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
    let n_sequences = stream.len().saturating_sub(1).checked_div(seq_len).unwrap_or(0);
    let sequence = |k: usize| {
        let window = &stream[k * seq_len..][..seq_len + 1];
        Sequence { inputs: window[..seq_len].to_vec(), targets: window[1..].to_vec() }
    };
    let mut sequences: Vec<Sequence> = (0..n_sequences).map(sequence).collect();
    let rest = &stream[n_sequences * seq_len..];
    if seq_len > 0 && rest.len() > 1 {
        sequences.push(Sequence { inputs: rest[..rest.len() - 1].to_vec(), targets: rest[1..].to_vec() });
    }
    sequences
}
