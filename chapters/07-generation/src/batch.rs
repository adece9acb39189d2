//! Several texts at once. Decoding reads every weight for each step, whether it makes one token or twenty (the
//! chapter's page, "Why decoding is slow"), so texts that wait for the same weights are computed side by side.
//!
//! Prompts differ in length. They are aligned at their ends by padding in front ([`KvCache`]), so that one step makes one token for each
//! text. A text that has ended leaves the batch and costs nothing more. When the longest text has filled the model's positions and others
//! have not, these are aligned anew, without the padding that they no longer need.
//!
//! Each text has a sampler of its own: it becomes the same as it would alone, but for the rounding of logits that are computed in
//! another order.

use attention::KeyValueStore;
use candle_core::{Result, Tensor, bail};
use transformer::Transformer;

use crate::{KvCache, Limits, LogProbs, Sampler};

// ANCHOR: request
/// A text to continue.
#[derive(Debug, Clone)]
pub struct Request {
    /// What it begins with.
    pub prompt: Vec<u32>,
    /// Chooses its tokens.
    pub sampler: Sampler,
    /// When to stop.
    pub limits: Limits,
}

/// What a step did to one of the texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Which text, by the number of its request.
    pub text: usize,
    /// What happened.
    pub outcome: Outcome,
}

/// What can happen to a text.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It has one more token.
    Token {
        /// The token.
        id: u32,
        /// How likely it was, if asked for.
        log_probs: Option<LogProbs>,
    },
    /// It gets no more.
    End(FinishReason),
}

/// Why a text ended; the names are OpenAI's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// The model wrote a stop token.
    Stop,
    /// It has as many tokens as allowed, or as the model has positions.
    Length,
}
// ANCHOR_END: request

/// A text in the making.
#[derive(Debug)]
struct Text {
    number: usize,
    tokens: Vec<u32>,
    n_prompt: usize,
    sampler: Sampler,
    limits: Limits,
}

// ANCHOR: batch
/// Generates several texts, a token of each at a step.
#[derive(Debug)]
pub struct BatchGenerator<'a> {
    model: &'a Transformer,
    cache: KvCache,
    /// Those that go on, in the order of the cache's sequences.
    live: Vec<Text>,
    n_log_probs: Option<usize>,
}

impl<'a> BatchGenerator<'a> {
    /// Prepares to continue the prompts. `model` should come from [`Transformer::for_inference`], or a graph is built in vain.
    ///
    /// # Errors
    /// If there is no request, or a prompt is empty or leaves no room for a token within the model's longest sequence.
    pub fn new(model: &'a Transformer, requests: Vec<Request>) -> Result<Self> {
        let max_seq_len = model.config().max_seq_len;
        let mut live = Vec::with_capacity(requests.len());
        for (number, Request { prompt, mut sampler, limits }) in requests.into_iter().enumerate() {
            if prompt.is_empty() {
                bail!("the prompt has no token; a model continues something");
            }
            if prompt.len() >= max_seq_len {
                bail!("the prompt's {} tokens leave no room within max_seq_len {max_seq_len}", prompt.len());
            }
            sampler.read_prompt(&prompt);
            live.push(Text { number, n_prompt: prompt.len(), tokens: prompt, sampler, limits });
        }
        Ok(Self { model, cache: aligned_cache(model, &live)?, live, n_log_probs: None })
    }

    /// Reports with each token how likely it was, and the `n_top` most likely ones at its place.
    pub fn with_log_probs(self, n_top: usize) -> Self {
        Self { n_log_probs: Some(n_top), ..self }
    }

    /// One more token for each text that goes on, or its end. Nothing, once all have ended.
    ///
    /// # Errors
    /// If the model fails, or its logits are no numbers.
    pub fn step(&mut self) -> Result<Vec<Event>> {
        let max_seq_len = self.model.config().max_seq_len;
        let mut events = self.end(FinishReason::Length, |text| !text.has_room(max_seq_len))?;
        if self.live.is_empty() {
            return Ok(events);
        }
        let logits = self.next_logits()?.to_vec2::<f32>()?; // (batch, vocab_size)
        for (text, logits) in self.live.iter_mut().zip(&logits) {
            let id = text.sampler.sample(logits)?;
            text.tokens.push(id);
            if !text.has_stopped() {
                let log_probs = self.n_log_probs.map(|n_top| LogProbs::new(logits, id, n_top));
                events.push(Event { text: text.number, outcome: Outcome::Token { id, log_probs } });
            }
        }
        events.extend(self.end(FinishReason::Stop, Text::has_stopped)?);
        Ok(events)
    }

    /// Ends the text of request `number`, whose reader has seen enough.
    ///
    /// # Errors
    /// If the device fails.
    pub fn stop(&mut self, number: usize) -> Result<()> {
        self.end(FinishReason::Stop, |text| text.number == number)?;
        Ok(())
    }

    /// Takes the texts that `has_ended` out of the batch.
    fn end(&mut self, reason: FinishReason, has_ended: impl Fn(&Text) -> bool) -> Result<Vec<Event>> {
        let kept: Vec<usize> = (0..self.live.len()).filter(|row| !has_ended(&self.live[*row])).collect();
        if kept.len() < self.live.len() && !kept.is_empty() {
            self.cache.keep_sequences(&kept)?;
        }
        let ended = self.live.extract_if(.., |text| has_ended(text));
        Ok(ended.map(|text| Event { text: text.number, outcome: Outcome::End(reason) }).collect())
    }

    /// Logits `(batch, vocab_size)` after all tokens; what the cache does not have yet goes through the model.
    fn next_logits(&mut self) -> Result<Tensor> {
        // Padding and tokens make all texts equally long.
        let mut end = self.cache.n_padding()[0] + self.live[0].tokens.len();
        if end > self.cache.capacity() {
            self.cache = aligned_cache(self.model, &self.live)?;
            end = self.cache.n_padding()[0] + self.live[0].tokens.len();
        }
        let start = self.cache.len();
        // What stands in padding is never looked at; token 0 exists in every vocabulary.
        let rows = self.live.iter().zip(self.cache.n_padding()).flat_map(|(text, n_padding)| {
            (start..end).map(move |at| at.checked_sub(*n_padding).map_or(0, |at| text.tokens[at]))
        });
        let device = self.model.device();
        let tokens = Tensor::from_vec(rows.collect::<Vec<u32>>(), (self.live.len(), end - start), device)?;
        if !device.is_cpu() {
            return self.model.next_logits(&tokens, &mut self.cache);
        }
        // On a thread of the pool: operations that share their work would otherwise wake it and wait for it, each anew.
        rayon::scope(|_| self.model.next_logits(&tokens, &mut self.cache))
    }
}

/// An empty cache in which the texts end in the same column, with room for what they may still become.
fn aligned_cache(model: &Transformer, texts: &[Text]) -> Result<KvCache> {
    let longest = texts.iter().map(|text| text.tokens.len()).max().unwrap_or(0);
    let n_left = texts.iter().map(|text| text.limits.max_tokens.saturating_sub(text.n_generated())).max().unwrap_or(0);
    let capacity = model.config().max_seq_len.min(longest.saturating_add(n_left));
    KvCache::with_padding(model, texts.iter().map(|text| longest - text.tokens.len()).collect(), capacity)
}
// ANCHOR_END: batch

impl Text {
    fn n_generated(&self) -> usize {
        self.tokens.len() - self.n_prompt
    }

    /// Whether it may have one more token. The model must read all it has for that, and so it may be as long as the longest sequence.
    fn has_room(&self, max_seq_len: usize) -> bool {
        self.n_generated() < self.limits.max_tokens && self.tokens.len() <= max_seq_len
    }

    fn has_stopped(&self) -> bool {
        let generated = &self.tokens[self.n_prompt..];
        generated.last().is_some_and(|token| self.limits.stop_tokens.contains(token))
    }
}
