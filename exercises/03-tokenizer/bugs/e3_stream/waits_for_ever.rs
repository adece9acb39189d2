//! Planted bug: waits until everything is valid, and one wrong byte never becomes valid.

/// Bytes that came and are not shown yet.
#[derive(Debug, Default)]
pub struct Stream {
    pending: Vec<u8>,
}

impl Stream {
    /// The text that `token` completes; empty if it completes none.
    pub fn push(&mut self, token: &[u8]) -> String {
        self.pending.extend_from_slice(token);
        match String::from_utf8(self.pending.clone()) {
            Ok(text) => {
                self.pending.clear();
                text
            }
            Err(_) => String::new(),
        }
    }

    /// What is left at the end of the stream.
    pub fn finish(self) -> String {
        String::from_utf8_lossy(&self.pending).into_owned()
    }
}
