//! Exercise 07.2: penalties against repetition.
//!
//! A model that has just written a word is likely to write it again. Two kinds of penalty are in use, and
//! they do different things. Write [`penalise`], which changes logits in place.
//!
//! The *repetition penalty* `theta` concerns every token of the prompt and of the answer, once, however often it
//! stands there. A positive logit is divided by `theta`, a negative one is multiplied: both fall when `theta` is
//! above 1. (Dividing a negative logit would raise it.)
//!
//! *Presence* and *frequency* penalties concern the answer alone. From the logit of a token that the answer has
//! `n` times, with `n` above 0, `presence + n * frequency` is subtracted. They come after the repetition penalty.
//!
//! Tokens that have no logit (an id beyond the slice) are passed over.
//!
//! Example: logits `[2, -2, 1]`, prompt `[0]`, answer `[1, 1]`, theta 2, presence 0.5, frequency 0.25:
//! `[1, -4 - 0.5 - 2 * 0.25, 1]`, that is `[1, -5, 1]`.
//!
//! Book: `book/src/07-generation.md`. Sources: Keskar et al., arXiv 1909.05858, section 4.1; OpenAI, API
//! reference, "Frequency and presence penalties".

/// How strongly repetition is discouraged.
#[derive(Debug, Clone, Copy)]
pub struct Penalties {
    /// Above 1 discourages; 1 does nothing.
    pub repetition: f32,
    /// 0 does nothing.
    pub presence: f32,
    /// 0 does nothing.
    pub frequency: f32,
}

/// Changes `logits` by what `prompt` and `answer` already have.
pub fn penalise(logits: &mut [f32], prompt: &[u32], answer: &[u32], penalties: Penalties) {
    todo!("change {logits:?} after {prompt:?} and {answer:?} by {penalties:?}")
}
