//! Texts that end an answer, found while it is streamed.
//!
//! A stop token is one id. A stop *string* may begin in the middle of one token and end in the middle of another, so it must be looked for
//! in the text, and text that might be its beginning must not be shown before what follows is known. What is held back is the longest end of
//! the text that begins some stop string: no more, so that a reader waits for nothing else.
//!
//! The text ends at the stop string that is complete first; of two that are complete at the same character, the longer one. That does
//! not depend on how the text was cut into pieces.

use candle_core::{Result, bail};

// ANCHOR: stop_strings
/// Passes a text on, piece by piece, up to the first of some strings.
#[derive(Debug, Clone)]
pub struct StopStrings {
    strings: Vec<String>,
    /// What begins a stop string, perhaps.
    held: String,
    has_stopped: bool,
}

impl StopStrings {
    /// Stops at any of `strings`.
    ///
    /// # Errors
    /// If one of them is empty: every text has it at once.
    pub fn new(strings: Vec<String>) -> Result<Self> {
        if strings.iter().any(String::is_empty) {
            bail!("a stop string is empty; it must have at least one character");
        }
        Ok(Self { strings, held: String::new(), has_stopped: false })
    }

    /// Takes the next piece of the text and gives what can be shown of it.
    pub fn push(&mut self, piece: &str) -> String {
        if self.has_stopped {
            return String::new();
        }
        self.held.push_str(piece);
        let n_shown = match self.first_stop() {
            Some(start) => {
                self.has_stopped = true;
                start
            }
            None => self.held.len() - self.n_held_bytes(),
        };
        let shown = self.held.drain(..n_shown).collect();
        if self.has_stopped {
            self.held.clear();
        }
        shown
    }

    /// What was held back when the text ends without a stop string.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Whether a stop string came. Neither it nor what follows is shown.
    pub fn has_stopped(&self) -> bool {
        self.has_stopped
    }

    /// Where the stop string begins that is complete first.
    fn first_stop(&self) -> Option<usize> {
        let found = self.strings.iter().filter_map(|string| Some((self.held.find(string)?, string.len())));
        found.min_by_key(|(start, len)| (start + len, *start)).map(|(start, _)| start)
    }

    /// Length of the longest end of the text that begins a stop string.
    fn n_held_bytes(&self) -> usize {
        let may_begin = |rest: &str| self.strings.iter().any(|string| string.starts_with(rest));
        let starts = self.held.char_indices().map(|(start, _)| start);
        starts.map(|start| &self.held[start..]).find(|rest| may_begin(rest)).map_or(0, str::len)
    }
}
// ANCHOR_END: stop_strings
