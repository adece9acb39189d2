//! Planted bug: a character that was never completed leaves no trace.

/// Bytes that came and are not shown yet.
#[derive(Debug, Default)]
pub struct Stream {
    pending: Vec<u8>,
}

impl Stream {
    /// The text that `token` completes; empty if it completes none.
    pub fn push(&mut self, token: &[u8]) -> String {
        self.pending.extend_from_slice(token);
        let n_complete = self.pending.len() - n_unfinished(&self.pending);
        let rest = self.pending.split_off(n_complete);
        let complete = std::mem::replace(&mut self.pending, rest);
        String::from_utf8_lossy(&complete).into_owned()
    }

    /// What is left at the end of the stream.
    pub fn finish(self) -> String {
        drop(self.pending);
        String::new()
    }
}

/// How many bytes at the end begin a character that more bytes could complete.
fn n_unfinished(bytes: &[u8]) -> usize {
    let tail = bytes.utf8_chunks().last().map_or(&[][..], |chunk| chunk.invalid());
    // The length of an error is unknown exactly when the input ended too early.
    match std::str::from_utf8(tail) {
        Err(error) if error.error_len().is_none() => tail.len(),
        _ => 0,
    }
}
