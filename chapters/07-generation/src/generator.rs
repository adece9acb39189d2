//! The loop: feed the prompt once, then each new token alone, until a stop token or a limit. A batch of one text, as an iterator.

use candle_core::Result;
use transformer::Transformer;

use crate::{BatchGenerator, Outcome, Request, Sampler};

// ANCHOR: generator
/// When to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Generate at most so many tokens.
    pub max_tokens: usize,
    /// Tokens that end the text; they are not part of it.
    pub stop_tokens: Vec<u32>,
}

/// Generates tokens one by one: an iterator that ends at a stop token, a limit, or the first error.
#[derive(Debug)]
pub struct Generator<'a> {
    batch: BatchGenerator<'a>,
    done: bool,
}

impl<'a> Generator<'a> {
    /// Prepares to continue `prompt`. `model` should come from [`Transformer::for_inference`], or a graph is built in vain.
    ///
    /// # Errors
    /// If the prompt is empty, or leaves no room for a token within the model's longest sequence.
    pub fn new(model: &'a Transformer, prompt: &[u32], sampler: Sampler, limits: Limits) -> Result<Self> {
        let request = Request { prompt: prompt.to_vec(), sampler, limits };
        Ok(Self { batch: BatchGenerator::new(model, vec![request])?, done: false })
    }

    /// The next token, or `None` at the end.
    fn step(&mut self) -> Result<Option<u32>> {
        let event = self.batch.step()?.pop();
        Ok(event.and_then(|event| match event.outcome {
            Outcome::Token { id, .. } => Some(id),
            Outcome::End(_) => None,
        }))
    }
}

impl Iterator for Generator<'_> {
    type Item = Result<u32>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.step().transpose();
        self.done = !matches!(next, Some(Ok(_)));
        next
    }
}

/// All tokens at once.
///
/// # Errors
/// As [`Generator::new`], or if the model fails.
pub fn generate(model: &Transformer, prompt: &[u32], sampler: Sampler, limits: Limits) -> Result<Vec<u32>> {
    Generator::new(model, prompt, sampler, limits)?.collect()
}
// ANCHOR_END: generator
