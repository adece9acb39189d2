//! Tokens to text that can be shown at once: whole characters (chapter 3's stream of a decoder), and nothing of a stop string.

use candle_core::Result;
use tokenizer::{DecodeStream, Tokenizer};

use crate::{Limits, StopStrings};

// ANCHOR: text_stream
/// The text of one answer as its tokens come. It continues a prompt, so a space that its first token begins with is part of it.
#[derive(Debug, Clone)]
pub struct TextStream<'t> {
    tokenizer: &'t Tokenizer,
    decoder: DecodeStream<'t>,
    stops: StopStrings,
}

impl<'t> TextStream<'t> {
    /// A text that ends at any of `stops`.
    ///
    /// A stop string that is a special token, such as `<|end|>`, never shows up in the text: it joins the tokens of `limits`.
    ///
    /// # Errors
    /// If one of the strings is empty.
    pub fn new(tokenizer: &'t Tokenizer, stops: &[String], limits: &mut Limits) -> Result<Self> {
        limits.stop_tokens.extend(special_tokens(tokenizer, stops));
        Ok(Self { tokenizer, decoder: tokenizer.decode_continuation(), stops: StopStrings::new(stops.to_vec())? })
    }

    /// The text that can be shown after `id`, if there is any.
    pub fn push(&mut self, id: u32) -> String {
        self.decoder.push(id).map_or(String::new(), |piece| self.stops.push(&piece))
    }

    /// Whether a stop string came: the rest of the tokens would be for nothing.
    pub fn has_stopped(&self) -> bool {
        self.stops.has_stopped()
    }

    /// What was held back, once there are no more tokens.
    pub fn finish(&mut self) -> String {
        let decoder = std::mem::replace(&mut self.decoder, self.tokenizer.decode_continuation());
        // An unfinished character may still be part of a stop string, if that has a `�`.
        let last = decoder.finish().map_or(String::new(), |piece| self.stops.push(&piece));
        last + &self.stops.finish()
    }
}
// ANCHOR_END: text_stream

/// The ids of those of `strings` that are special tokens.
fn special_tokens(tokenizer: &Tokenizer, strings: &[String]) -> Vec<u32> {
    let special = tokenizer.special_tokens();
    let id_of = |string: &String| special.iter().find(|(token, _)| token == string).map(|(_, id)| *id);
    strings.iter().filter_map(id_of).collect()
}
