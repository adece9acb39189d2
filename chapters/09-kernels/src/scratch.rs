//! Buffers that are used again.
//!
//! A training step asks for the same few sizes thousands of times. A fresh allocation of megabytes comes from the kernel page by page, each zeroed on
//! first touch, and goes back when it is freed. A pool keeps what was given back.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

// ANCHOR: scratch
/// A pool of buffers by length.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    free: Arc<Mutex<HashMap<usize, Vec<Vec<f32>>>>>,
}

/// A buffer of the pool; it goes back when it is dropped.
#[derive(Debug)]
pub struct Buffer {
    values: Vec<f32>,
    home: Scratch,
}

impl Scratch {
    /// A buffer of `len` numbers. What they are is not said: write before you read.
    pub fn take(&self, len: usize) -> Buffer {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&len).and_then(Vec::pop);
        Buffer { values: free.unwrap_or_else(|| vec![0.0; len]), home: self.clone() }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let values = std::mem::take(&mut self.values);
        let mut free = self.home.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.entry(values.len()).or_default().push(values);
    }
}
// ANCHOR_END: scratch

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back() {
        let scratch = Scratch::default();
        let first = scratch.take(1000).as_ptr();
        assert_eq!(scratch.take(1000).as_ptr(), first);
        let (a, b) = (scratch.take(1000), scratch.take(1000));
        assert_ne!(a.as_ptr(), b.as_ptr());
        assert_eq!(scratch.take(7).len(), 7);
    }
}
