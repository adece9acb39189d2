//! Planted bug: grows by copying and knows no capacity.

/// Rows of `width` numbers, at most `capacity` of them.
#[derive(Debug)]
pub struct Cache {
    buffer: Vec<f32>,
    width: usize,
    len: usize,
}

impl Cache {
    /// An empty cache with its whole buffer.
    pub fn new(capacity: usize, width: usize) -> Self {
        Self { buffer: Vec::with_capacity(capacity.min(1)), width, len: 0 }
    }

    /// Puts rows behind those that are there; the position of the first new one.
    ///
    /// # Errors
    /// When they do not fit, or are no whole rows.
    pub fn append(&mut self, rows: &[f32]) -> Result<usize, String> {
        if !rows.len().is_multiple_of(self.width) {
            return Err(format!("{} numbers are no whole rows of {}", rows.len(), self.width));
        }
        let (start, end) = (self.len, self.len + rows.len() / self.width);
        self.buffer.truncate(start * self.width);
        self.buffer.extend_from_slice(rows);
        self.len = end;
        Ok(start)
    }

    /// The rows that are there, one after another.
    pub fn rows(&self) -> &[f32] {
        &self.buffer[..self.len * self.width]
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        self.len = 0;
    }
}
