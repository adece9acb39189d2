//! Exercise 07.4: a stop string across tokens.
//!
//! A text shall end before `"\nUser:"`. It is streamed, token by token, and the stop string may come in pieces:
//! `"\n"`, `"Us"`, `"er:"`. What has been shown cannot be taken back, so text that could be the beginning of a stop
//! string must wait. Text that could not must not wait, or the reader stares at nothing. Write [`Stream`]:
//!
//! - [`Stream::push`] takes the next piece and returns what can be shown now;
//! - [`Stream::finish`] returns what was held back, when the text ends without a stop string;
//! - [`Stream::has_stopped`] says whether a stop string came. It is never shown, nor is anything after it.
//!
//! Hold back exactly the longest end of the text that begins some stop string. The text ends at the stop string
//! that is complete first; of two that end at the same character, the longer one counts. How the text is cut into
//! pieces must make no difference.
//!
//! Example: stop `"END"`, pieces `"the E"`, `"N"`, `"emy"`: shown are `"the "`, nothing, `"ENemy"`.
//!
//! Book: `book/src/07-generation.md`. Source: OpenAI, API reference, parameter `stop` of completions.

/// A text that is passed on up to a stop string.
#[derive(Debug)]
pub struct Stream {
    // Yours to choose.
}

impl Stream {
    /// Stops at any of `stops`, of which none is empty.
    pub fn new(stops: Vec<String>) -> Self {
        todo!("a stream that stops at {stops:?}")
    }

    /// What can be shown now.
    pub fn push(&mut self, piece: &str) -> String {
        todo!("what can be shown after {piece:?}")
    }

    /// What was held back, at the end of the text.
    pub fn finish(&mut self) -> String {
        todo!("what was held back")
    }

    /// Whether a stop string came.
    pub fn has_stopped(&self) -> bool {
        todo!("whether a stop string came")
    }
}
