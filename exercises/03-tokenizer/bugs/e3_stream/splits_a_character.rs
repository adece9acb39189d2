//! Planted bug: shows each token by itself, so that a character in two tokens becomes two question marks.

/// Bytes that came and are not shown yet.
#[derive(Debug, Default)]
pub struct Stream {
    pending: Vec<u8>,
}

impl Stream {
    /// The text that `token` completes; empty if it completes none.
    pub fn push(&mut self, token: &[u8]) -> String {
        self.pending.clear();
        String::from_utf8_lossy(token).into_owned()
    }

    /// What is left at the end of the stream.
    pub fn finish(self) -> String {
        String::from_utf8_lossy(&self.pending).into_owned()
    }
}
