//! Penalties against repetition: tokens that the text already has become less likely.
//!
//! Two families, from two homes. The *repetition penalty* $\theta$ (Keskar et al. 2019, CTRL, arXiv 1909.05858, section 4.1) divides a
//! positive logit by $\theta$ and multiplies a negative one, so that both fall. It holds for every token of the prompt and of what was
//! generated, however often it stands there. (The paper divides alone, which makes a token with a negative logit *more* likely; this is
//! the form of transformers.) OpenAI's penalties subtract, from the logit of token $j$ that was generated $c_j$ times,
//! $$z_j \leftarrow z_j - c_j\,\alpha_{frequency} - [c_j > 0]\,\alpha_{presence},$$
//! and do not look at the prompt (API reference, "Frequency and presence penalties").
//!
//! With both, repetition comes first. They all work on the model's logits, before the temperature.

use std::collections::HashMap;

use candle_core::{Result, bail};

// ANCHOR: penalties
/// How strongly repetition is discouraged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Penalties {
    /// Above 1 discourages tokens of the prompt and of the answer, below 1 encourages them; 1.0 does nothing.
    pub repetition: f64,
    /// Subtracted from the logit of a token that the answer has; 0.0 does nothing.
    pub presence: f64,
    /// Subtracted from a token's logit for each time that the answer has it; 0.0 does nothing.
    pub frequency: f64,
}

/// How often each token of a text was generated: 0 for one that stands in the prompt alone.
#[derive(Debug, Clone, Default)]
pub struct History {
    times_generated: HashMap<u32, usize>,
}

impl Penalties {
    /// Leaves the logits as they are.
    pub const NONE: Self = Self { repetition: 1.0, presence: 0.0, frequency: 0.0 };

    /// Changes `logits` `(vocab_size)` by what the text already has.
    pub fn apply(&self, logits: &mut [f32], history: &History) {
        for (&token, &times) in &history.times_generated {
            // A prompt may hold tokens that the head has no logit for.
            let Some(logit) = logits.get_mut(token as usize) else { continue };
            let z = f64::from(*logit);
            let z = if z < 0.0 { z * self.repetition } else { z / self.repetition };
            let is_present = if times > 0 { 1.0 } else { 0.0 };
            *logit = (z - times as f64 * self.frequency - is_present * self.presence) as f32;
        }
    }
}
// ANCHOR_END: penalties

impl Penalties {
    /// Checks the values.
    ///
    /// # Errors
    /// Names the value that cannot be.
    pub fn validate(&self) -> Result<()> {
        let Self { repetition, presence, frequency } = *self;
        if !(repetition > 0.0 && repetition.is_finite()) {
            bail!("repetition_penalty {repetition} must be a number above 0; 1 changes nothing");
        }
        for (name, value) in [("presence_penalty", presence), ("frequency_penalty", frequency)] {
            if !(-2.0..=2.0).contains(&value) {
                bail!("{name} {value} must be from -2 to 2; 0 changes nothing");
            }
        }
        Ok(())
    }
}

impl History {
    /// Notes the tokens of a prompt.
    pub fn add_prompt(&mut self, prompt: &[u32]) {
        for token in prompt {
            self.times_generated.entry(*token).or_insert(0);
        }
    }

    /// Notes a token that was generated.
    pub fn add_generated(&mut self, token: u32) {
        *self.times_generated.entry(token).or_insert(0) += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> History {
        let mut history = History::default();
        history.add_prompt(&[0, 1, 1, 99]);
        [1, 2, 2].into_iter().for_each(|token| history.add_generated(token));
        history
    }

    fn penalised(penalties: Penalties) -> [f32; 5] {
        // The prompt has 0 and 1, the answer 1 once and 2 twice; nobody has 3 and 4.
        let mut logits = [3.0, -3.0, 3.0, 3.0, f32::NEG_INFINITY];
        penalties.apply(&mut logits, &history());
        logits
    }

    #[test]
    fn repetition_lowers_positive_and_negative_logits_of_prompt_and_answer_once() {
        let found = penalised(Penalties { repetition: 1.5, ..Penalties::NONE });
        assert_eq!(found, [2.0, -4.5, 2.0, 3.0, f32::NEG_INFINITY]);
        assert_eq!(penalised(Penalties::NONE), [3.0, -3.0, 3.0, 3.0, f32::NEG_INFINITY]);
    }

    #[test]
    fn presence_and_frequency_look_at_the_answer_alone() {
        let found = penalised(Penalties { presence: 0.5, ..Penalties::NONE });
        assert_eq!(found, [3.0, -3.5, 2.5, 3.0, f32::NEG_INFINITY]);
        let found = penalised(Penalties { frequency: 0.5, ..Penalties::NONE });
        assert_eq!(found, [3.0, -3.5, 2.0, 3.0, f32::NEG_INFINITY]);
        let found = penalised(Penalties { repetition: 1.5, presence: 0.5, frequency: -1.0 });
        assert_eq!(found, [2.0, -4.0, 3.5, 3.0, f32::NEG_INFINITY]);
    }

    #[test]
    fn values_that_cannot_be_are_named_with_their_range() {
        let message = |repetition, presence, frequency| {
            let outcome = Penalties { repetition, presence, frequency }.validate();
            outcome.err().map(|error| error.to_string().lines().next().unwrap().to_string())
        };
        assert_eq!(message(0.5, -2.0, 2.0), None);
        for repetition in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let expected = format!("repetition_penalty {repetition} must be a number above 0; 1 changes nothing");
            assert_eq!(message(repetition, 0.0, 0.0), Some(expected));
        }
        assert!(message(1.0, 2.1, 0.0).unwrap().contains("presence_penalty 2.1 must be from -2 to 2"));
        assert!(message(1.0, 0.0, f64::NAN).unwrap().contains("frequency_penalty NaN must be from -2 to 2"));
    }
}
