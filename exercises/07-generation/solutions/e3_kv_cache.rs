//! Solution 07.3: check, copy to where the rows end, move the end.
//!
//! The check stands before the copy, so that an error leaves the cache as it was: a server answers it and goes on.

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
        Self { buffer: vec![0.0; capacity * width], width, len: 0 }
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
        let capacity = self.buffer.len() / self.width;
        if end > capacity {
            return Err(format!("{end} rows exceed the capacity of {capacity}"));
        }
        self.buffer[start * self.width..end * self.width].copy_from_slice(rows);
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
