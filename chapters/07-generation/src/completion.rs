//! Requests to texts: a batch, the stream of each of its texts, and what a reader wants to know of each when it has ended.

use candle_core::Result;
use tokenizer::Tokenizer;
use transformer::Transformer;

use crate::{BatchGenerator, FinishReason, LogProbs, Outcome, Request, TextStream};

// ANCHOR: completion
/// What followed a prompt.
#[derive(Debug, Clone, Default)]
pub struct Completion {
    /// The text, without a stop string.
    pub text: String,
    /// Its tokens; those of a stop string too.
    pub tokens: Vec<u32>,
    /// How likely each token was, if asked for.
    pub log_probs: Vec<LogProbs>,
    /// Why it ended; `None` while it goes on.
    pub finish_reason: Option<FinishReason>,
}

/// Completes several prompts, a token of each at a step.
#[derive(Debug)]
pub struct Completions<'a> {
    batch: BatchGenerator<'a>,
    streams: Vec<TextStream<'a>>,
    completions: Vec<Completion>,
}

impl<'a> Completions<'a> {
    /// Prepares to complete the prompts of `requests`, each up to one of `stops`. `n_log_probs` asks for log-probabilities with so many
    /// alternatives.
    ///
    /// # Errors
    /// As [`BatchGenerator::new`], or if a stop string is empty.
    pub fn new(
        model: &'a Transformer,
        tokenizer: &'a Tokenizer,
        mut requests: Vec<Request>,
        stops: &[String],
        n_log_probs: Option<usize>,
    ) -> Result<Self> {
        let streams = requests.iter_mut().map(|request| TextStream::new(tokenizer, stops, &mut request.limits));
        let streams = streams.collect::<Result<Vec<_>>>()?;
        let completions = vec![Completion::default(); streams.len()];
        let batch = BatchGenerator::new(model, requests)?;
        let batch = if let Some(n_top) = n_log_probs { batch.with_log_probs(n_top) } else { batch };
        Ok(Self { batch, streams, completions })
    }

    /// The pieces of text that another step adds, each with the number of its request; `None` once all texts have ended.
    ///
    /// # Errors
    /// If the model fails.
    pub fn step(&mut self) -> Result<Option<Vec<(usize, String)>>> {
        let events = self.batch.step()?;
        if events.is_empty() {
            return Ok(None);
        }
        let mut pieces = Vec::with_capacity(events.len());
        for event in events {
            let (stream, completion) = (&mut self.streams[event.text], &mut self.completions[event.text]);
            let piece = match event.outcome {
                Outcome::Token { id, log_probs } => {
                    completion.tokens.push(id);
                    completion.log_probs.extend(log_probs);
                    let piece = stream.push(id);
                    if stream.has_stopped() {
                        completion.finish_reason = Some(FinishReason::Stop);
                        self.batch.stop(event.text)?;
                    }
                    piece
                }
                Outcome::End(reason) => {
                    completion.finish_reason = Some(reason);
                    stream.finish()
                }
            };
            completion.text.push_str(&piece);
            pieces.push((event.text, piece));
        }
        Ok(Some(pieces))
    }

    /// All completions, in the order of the requests.
    ///
    /// # Errors
    /// If the model fails.
    pub fn finish(mut self) -> Result<Vec<Completion>> {
        while self.step()?.is_some() {}
        Ok(self.completions)
    }
}
// ANCHOR_END: completion
