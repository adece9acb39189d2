//! Removes passages that occurred before, wherever they begin and end (Lee et al., arXiv:2107.06499, section 4.1).
//!
//! A press release quoted in the middle of a paragraph is no copy of a page and no copy of a paragraph. So texts are
//! compared once more, byte by byte. Let $T$ be all texts one after another and $N$ the least length, `min_bytes`. The
//! window $T[i, i + N)$ goes if it lies within one text and an equal one lies before it:
//!
//! $$\exists\, j \le i - N : \quad T[j, j + N) = T[i, i + N)$$
//!
//! The union of all windows that go is what is removed. $j \le i - N$ and not $j < i$, so that of `ababab…` a first window
//! stays. The definition knows no order of work: the first occurrence in the order of the documents stays, always.
//!
//! Equal windows stand side by side in the *suffix array*, all positions of $T$ sorted by the text that begins there
//! (Manber and Myers 1993; built in linear time by SA-IS, Nong et al. 2009). Between two texts stands a byte that is in none, so
//! that no window crosses a border. Memory: one byte a byte of text, four for the array, an eighth for what goes.
//!
//! Three rules keep what is left readable. A block of code goes whole or stays whole, as in [`crate::paragraph_dedup`]. Words are
//! not cut. Where a removal joins two lines or two words, a line break or a space stands between them.
//!
//! Refused: texts of more than `max_bytes` together, as memory grows with them, and never more than $2^{31} - 2$.

mod cut;
mod windows;

use std::ops::Range;

use serde::{Deserialize, Serialize};

pub use self::cut::remove;
use self::windows::{Starts, repeated_windows};
use crate::document::Document;
use crate::setting::{InvalidSetting, holds};

/// Positions in the suffix array are 31-bit numbers, and one is left for the last separator.
const MAX_BYTES: u64 = i32::MAX as u64 - 1;

/// No byte of any UTF-8 text.
const SEPARATOR: u8 = 0xFF;

/// Why a document goes that lost most of its text.
pub const TOO_LITTLE_LEFT: &str = "little but repeated passages";

/// Whether repeated passages go, and which are long enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SubstringConfig {
    /// Whether the stage runs.
    pub enabled: bool,
    /// Bytes of the shortest passage that goes (Lee et al.: 50 tokens, about 200 bytes of English).
    pub min_bytes: usize,
    /// A document that lost passages and has fewer words left goes as a whole.
    pub min_document_words: usize,
    /// Most bytes of all texts together; the stage needs about five times as much memory.
    pub max_bytes: u64,
}

impl Default for SubstringConfig {
    fn default() -> Self {
        Self { enabled: false, min_bytes: 200, min_document_words: 30, max_bytes: 1 << 30 }
    }
}

impl SubstringConfig {
    /// Checks the sizes.
    ///
    /// # Errors
    /// A passage of less than 20 bytes, or more text than positions can number.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        let rule = "choose 20 or more: shorter passages repeat in all good text";
        holds(self.min_bytes >= 20, "substring.min_bytes", self.min_bytes, rule)?;
        let rule = format!("choose from 1 to {MAX_BYTES}: positions are 31-bit numbers");
        holds((1..=MAX_BYTES).contains(&self.max_bytes), "substring.max_bytes", self.max_bytes, rule)
    }
}

/// For each document the passages of it that occurred before, in rising order.
///
/// # Errors
/// More text than the settings allow, or than there is memory for.
pub fn repeated(documents: &[Document], config: &SubstringConfig) -> Result<Vec<Vec<Range<usize>>>, InvalidSetting> {
    let mut texts = Texts::new(config);
    documents.iter().try_for_each(|document| texts.push(&document.text))?;
    texts.repeated()
}

/// Texts one after another, in which repeated passages are looked for.
#[derive(Debug, Clone)]
pub struct Texts {
    /// The texts, each with a separator behind it.
    bytes: Vec<u8>,
    /// The offset of each text's separator.
    ends: Vec<u32>,
    config: SubstringConfig,
}

impl Texts {
    /// No texts.
    pub fn new(config: &SubstringConfig) -> Self {
        Self { bytes: Vec::new(), ends: Vec::new(), config: config.clone() }
    }

    /// Adds a text behind the others.
    ///
    /// # Errors
    /// More bytes than the settings allow.
    pub fn push(&mut self, text: &str) -> Result<(), InvalidSetting> {
        let end = self.bytes.len() + text.len();
        if end as u64 > self.config.max_bytes.min(MAX_BYTES) {
            return Err(self.too_large("the texts have more bytes; raise it so far that"));
        }
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.push(SEPARATOR);
        self.ends.push(end as u32);
        Ok(())
    }

    /// The text that was added as the `i`th, from 0.
    pub fn text(&self, i: usize) -> &str {
        let start = if i == 0 { 0 } else { self.ends[i - 1] as usize + 1 };
        // A part of `bytes` that was a text is one.
        std::str::from_utf8(&self.bytes[start..self.ends[i] as usize]).unwrap_or_default()
    }

    fn too_large(&self, what: &str) -> InvalidSetting {
        let rule = format!(
            "{what} there are five bytes of memory for each byte, cut the input into several jobs, or leave substring out"
        );
        InvalidSetting { name: "substring.max_bytes", value: self.config.max_bytes.to_string(), rule: rule.into() }
    }

    // ANCHOR: passages
    /// For each text the byte ranges that go, in rising order.
    ///
    /// # Errors
    /// No memory for the suffix array.
    pub fn repeated(&self) -> Result<Vec<Vec<Range<usize>>>, InvalidSetting> {
        let no_memory =
            |_| self.too_large("there is no memory for the suffix array of so much text; choose it so large that");
        let windows = repeated_windows(&self.bytes, self.config.min_bytes).map_err(no_memory)?;
        Ok((0..self.ends.len()).map(|i| self.passages(i, &windows)).collect())
    }

    /// The union of the windows of one text, without what must not be cut.
    fn passages(&self, i: usize, windows: &Starts) -> Vec<Range<usize>> {
        let mut passages: Vec<Range<usize>> = Vec::new();
        let (text, end) = (self.text(i), self.ends[i] as usize);
        for start in windows.within(end - text.len()..end).map(|at| at + text.len() - end) {
            let end = start + self.config.min_bytes;
            match passages.last_mut() {
                Some(last) if start <= last.end => last.end = end,
                _ => passages.push(start..end),
            }
        }
        cut::readable(text, passages, self.config.min_bytes)
    }
    // ANCHOR_END: passages
}
