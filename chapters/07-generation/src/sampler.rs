//! From logits to a token: penalties, then the most likely token or a draw among the candidates.

use candle_core::{Result, bail};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::{History, Penalties, Sampling, candidates};

// ANCHOR: sampler
/// Chooses the tokens of one text; its random numbers depend on the seed alone.
#[derive(Debug, Clone)]
pub struct Sampler {
    sampling: Sampling,
    penalties: Penalties,
    rng: ChaCha8Rng,
    history: History,
}

impl Sampler {
    /// A sampler that starts from `seed` and penalises nothing.
    ///
    /// # Errors
    /// If the values of `sampling` cannot be.
    pub fn new(sampling: Sampling, seed: u64) -> Result<Self> {
        sampling.validate()?;
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Ok(Self { sampling, penalties: Penalties::NONE, rng, history: History::default() })
    }

    /// The same with penalties.
    ///
    /// # Errors
    /// If their values cannot be.
    pub fn with_penalties(self, penalties: Penalties) -> Result<Self> {
        penalties.validate()?;
        Ok(Self { penalties, ..self })
    }

    /// Tells what the text begins with: the repetition penalty counts it.
    pub fn read_prompt(&mut self, prompt: &[u32]) {
        self.history.add_prompt(prompt);
    }

    /// The next token, given the logits `(vocab_size)`. The sampler remembers it.
    ///
    /// # Errors
    /// If one of the logits is NaN or +∞, or none is finite. -∞ is a token that cannot be drawn.
    pub fn sample(&mut self, logits: &[f32]) -> Result<u32> {
        if let Some(logit) = logits.iter().find(|logit| logit.is_nan() || **logit == f32::INFINITY) {
            bail!("one of the {} logits is {logit}; the model's weights may be damaged", logits.len());
        }
        if !logits.iter().any(|logit| logit.is_finite()) {
            bail!("none of the {} logits is finite: there is no token to choose", logits.len());
        }
        let token = if self.penalties == Penalties::NONE {
            self.choose(logits)
        } else {
            let mut penalised = logits.to_vec();
            self.penalties.apply(&mut penalised, &self.history);
            self.choose(&penalised)
        };
        self.history.add_generated(token);
        Ok(token)
    }

    fn choose(&mut self, logits: &[f32]) -> u32 {
        match self.sampling {
            Sampling::Greedy => most_likely(logits),
            Sampling::Random { temperature, cuts } => draw(&candidates(logits, temperature, cuts), self.rng.random()),
        }
    }
}
// ANCHOR_END: sampler

// ANCHOR: draw
/// The token at `point` (0 to 1) of the candidates laid end to end.
fn draw(candidates: &[(u32, f64)], point: f64) -> u32 {
    let mut rest = point;
    for (token, probability) in candidates {
        rest -= probability;
        if rest < 0.0 {
            return *token;
        }
    }
    // Rounding may leave a crumb at the very end; it belongs to the last candidate.
    candidates.last().map_or(0, |(token, _)| *token)
}
// ANCHOR_END: draw

fn most_likely(logits: &[f32]) -> u32 {
    let mut best = 0;
    for (token, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = token;
        }
    }
    best as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cuts;

    /// ln of the probabilities 0.5, 0.25, 0.125, 0.125.
    fn logits() -> Vec<f32> {
        [0.5f32, 0.25, 0.125, 0.125].iter().map(|p| p.ln()).collect()
    }

    #[test]
    fn a_point_just_past_the_total_is_a_token_that_can_be_drawn() {
        let inf = f32::NEG_INFINITY;
        let found = candidates(&[0.0, inf, 1.0, inf], 1.0, Cuts::NONE);
        assert_eq!(found.iter().map(|c| c.0).collect::<Vec<_>>(), [2, 0]);
        for point in [1.0, 1.0 + 1e-9] {
            assert_eq!(draw(&found, point), 0);
        }
        assert_eq!(draw(&found, 0.0), 2);
    }

    #[test]
    fn greedy_takes_the_first_of_the_best_and_seeds_repeat() {
        let mut greedy = Sampler::new(Sampling::at_temperature(0.0), 0).unwrap();
        assert_eq!(greedy.sample(&[0.0, 3.0, 3.0, 1.0]).unwrap(), 1);
        let draws = |seed| {
            let mut sampler = Sampler::new(Sampling::at_temperature(1.0), seed).unwrap();
            (0..32).map(|_| sampler.sample(&logits()).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(draws(5), draws(5));
        assert_ne!(draws(5), draws(6));
    }

    #[test]
    fn greedy_with_a_penalty_leaves_a_loop() {
        let penalties = Penalties { frequency: 0.5, ..Penalties::NONE };
        let mut sampler = Sampler::new(Sampling::Greedy, 0).unwrap().with_penalties(penalties).unwrap();
        let said: Vec<u32> = (0..4).map(|_| sampler.sample(&[1.0, 1.2, 0.0]).unwrap()).collect();
        assert_eq!(said, [1, 0, 1, 0]);
        let penalties = Penalties { repetition: 2.0, ..Penalties::NONE };
        let mut sampler = Sampler::new(Sampling::Greedy, 0).unwrap().with_penalties(penalties).unwrap();
        sampler.read_prompt(&[1]);
        assert_eq!(sampler.sample(&[1.0, 1.2, 0.0]).unwrap(), 0);
    }

    #[test]
    fn logits_that_cannot_be_are_refused() {
        let mut sampler = Sampler::new(Sampling::Greedy, 0).unwrap();
        assert!(sampler.sample(&[]).is_err() && sampler.sample(&[0.0, f32::NAN]).is_err());
        assert!(sampler.sample(&[0.0, f32::INFINITY]).is_err() && sampler.sample(&[f32::NEG_INFINITY; 2]).is_err());
        assert_eq!(sampler.sample(&[f32::NEG_INFINITY, 0.0]).unwrap(), 1);
        let bad = Penalties { repetition: 0.0, ..Penalties::NONE };
        assert!(Sampler::new(Sampling::Greedy, 0).unwrap().with_penalties(bad).is_err());
    }
}
