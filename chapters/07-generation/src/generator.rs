//! The loop: feed the prompt once, then each new token alone, until a stop token or a limit.

use attention::KeyValueStore;
use candle_core::{Result, Tensor, bail};
use transformer::Transformer;

use crate::{KvCache, Sampler};

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
    model: &'a Transformer,
    cache: KvCache,
    sampler: Sampler,
    limits: Limits,
    pending: Vec<u32>,
    n_generated: usize,
    done: bool,
}

impl<'a> Generator<'a> {
    /// Prepares to continue `prompt`. `model` should come from [`Transformer::for_inference`], or a graph is built in vain.
    ///
    /// # Errors
    /// If the prompt is empty, or leaves no room for a token within the model's longest sequence.
    pub fn new(model: &'a Transformer, prompt: &[u32], sampler: Sampler, limits: Limits) -> Result<Self> {
        let max_seq_len = model.config().max_seq_len;
        if prompt.is_empty() {
            bail!("the prompt has no token; a model continues something");
        }
        if prompt.len() >= max_seq_len {
            bail!("the prompt's {} tokens leave no room within max_seq_len {max_seq_len}", prompt.len());
        }
        let capacity = max_seq_len.min(prompt.len().saturating_add(limits.max_tokens));
        let cache = KvCache::new(model, 1, capacity)?;
        Ok(Self { model, cache, sampler, limits, pending: prompt.to_vec(), n_generated: 0, done: false })
    }

    /// The next token, or `None` at the end.
    fn step(&mut self) -> Result<Option<u32>> {
        let has_room = self.cache.len() + self.pending.len() <= self.model.config().max_seq_len;
        if self.n_generated == self.limits.max_tokens || !has_room {
            return Ok(None);
        }
        let logits = self.next_logits()?; // (1, vocab_size)
        let token = self.sampler.sample(&logits.squeeze(0)?.to_vec1::<f32>()?)?;
        self.pending = vec![token];
        self.n_generated += 1;
        let is_stop = self.limits.stop_tokens.contains(&token);
        Ok((!is_stop).then_some(token))
    }
}

impl Generator<'_> {
    fn next_logits(&mut self) -> Result<Tensor> {
        let device = self.model.device();
        let tokens = Tensor::from_slice(&self.pending, (1, self.pending.len()), device)?;
        if !device.is_cpu() {
            return self.model.next_logits(&tokens, &mut self.cache);
        }
        // On a thread of the pool: operations that share their work would otherwise wake it and wait for it, each anew.
        rayon::scope(|_| self.model.next_logits(&tokens, &mut self.cache))
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
