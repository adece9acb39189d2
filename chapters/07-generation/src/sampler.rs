//! From logits to a token.
//!
//! Greedy takes the most likely token. Sampling draws from $p_i \propto e^{z_i / T}$: temperature $T < 1$ sharpens the distribution, $T > 1$
//! flattens it. Top-k keeps the k most likely tokens (Fan et al. 2018, arXiv 1805.04833); top-p keeps the smallest set of most likely
//! tokens whose probabilities reach p (Holtzman et al. 2019, arXiv 1904.09751). Both cut the long tail of tokens that are each unlikely
//! and together are not.

use candle_core::{Result, bail};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

// ANCHOR: sampling
/// How a token is chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sampling {
    /// The most likely token; the first of equals.
    Greedy,
    /// Draws at random.
    Random {
        /// Divides the logits; above 0.
        temperature: f64,
        /// Keep this many of the most likely tokens; `None` keeps all.
        top_k: Option<usize>,
        /// Keep the smallest set of most likely tokens that reaches this probability; 1.0 keeps all.
        top_p: f64,
    },
}

impl Sampling {
    /// Sampling from the model's own distribution, cut by nothing; temperature 0 means greedy.
    pub fn at_temperature(temperature: f64) -> Self {
        if temperature == 0.0 {
            return Self::Greedy;
        }
        Self::Random { temperature, top_k: None, top_p: 1.0 }
    }

    /// Checks the values.
    ///
    /// # Errors
    /// Names the value that cannot be.
    pub fn validate(&self) -> Result<()> {
        let Self::Random { temperature, top_k, top_p } = *self else { return Ok(()) };
        if !(temperature > 0.0 && temperature.is_finite()) {
            bail!("temperature {temperature} must be a number above 0; use Sampling::Greedy for 0");
        }
        if top_k == Some(0) {
            bail!("top_k 0 would keep no token; leave it out to keep all");
        }
        if !(top_p > 0.0 && top_p <= 1.0) {
            bail!("top_p {top_p} must be above 0 and at most 1");
        }
        Ok(())
    }
}
// ANCHOR_END: sampling

// ANCHOR: sampler
/// Draws tokens; its random numbers depend on the seed alone.
#[derive(Debug, Clone)]
pub struct Sampler {
    sampling: Sampling,
    rng: ChaCha8Rng,
}

impl Sampler {
    /// A sampler that starts from `seed`.
    ///
    /// # Errors
    /// If the values of `sampling` cannot be.
    pub fn new(sampling: Sampling, seed: u64) -> Result<Self> {
        sampling.validate()?;
        Ok(Self { sampling, rng: ChaCha8Rng::seed_from_u64(seed) })
    }

    /// The next token, given the logits `(vocab_size)`.
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
        match self.sampling {
            Sampling::Greedy => Ok(most_likely(logits)),
            Sampling::Random { temperature, top_k, top_p } => {
                let candidates = candidates(logits, temperature, top_k, top_p);
                Ok(draw(&candidates, self.rng.random()))
            }
        }
    }
}
// ANCHOR_END: sampler

// ANCHOR: candidates
/// The tokens that may be drawn with their probabilities (not summing to one after a cut), most likely first.
pub fn candidates(logits: &[f32], temperature: f64, top_k: Option<usize>, top_p: f64) -> Vec<(u32, f64)> {
    let max = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let weights = logits.iter().map(|&logit| ((f64::from(logit) - max) / temperature).exp());
    let mut tokens: Vec<(u32, f64)> = (0..).zip(weights).collect();
    // A token of weight 0, as a logit of −∞ has, cannot be drawn.
    tokens.retain(|(_, weight)| *weight > 0.0);
    // Ties keep the order of the ids, so that the result does not depend on the sort.
    tokens.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    tokens.truncate(top_k.unwrap_or(usize::MAX));
    let total: f64 = tokens.iter().map(|(_, weight)| weight).sum();
    let mut reached = 0.0;
    let n_kept = tokens.iter().position(|(_, weight)| {
        reached += weight / total;
        reached >= top_p
    });
    tokens.truncate(n_kept.map_or(tokens.len(), |last| last + 1));
    tokens.iter().map(|(token, weight)| (*token, weight / total)).collect()
}
// ANCHOR_END: candidates

// ANCHOR: draw
/// The token at `point` (0 to 1) of the candidates laid end to end.
fn draw(candidates: &[(u32, f64)], point: f64) -> u32 {
    let total: f64 = candidates.iter().map(|(_, weight)| weight).sum();
    let mut rest = point * total;
    for (token, weight) in candidates {
        rest -= weight;
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

    /// ln of the probabilities 0.5, 0.25, 0.125, 0.125.
    fn logits() -> Vec<f32> {
        [0.5f32, 0.25, 0.125, 0.125].iter().map(|p| p.ln()).collect()
    }

    #[test]
    fn samples_follow_the_distribution() {
        const N: usize = 40_000;
        let mut sampler = Sampler::new(Sampling::at_temperature(1.0), 1).unwrap();
        let mut counts = [0usize; 4];
        for _ in 0..N {
            counts[sampler.sample(&logits()).unwrap() as usize] += 1;
        }
        let chi_square: f64 = counts
            .iter()
            .zip([0.5, 0.25, 0.125, 0.125])
            .map(|(&n, p)| (n as f64 - p * N as f64).powi(2) / (p * N as f64))
            .sum();
        // The 99.9th percentile of χ² with 3 degrees of freedom.
        assert!(chi_square < 16.27, "{counts:?}: {chi_square}");
    }

    #[test]
    fn temperature_raises_probabilities_to_a_power() {
        let found = candidates(&logits(), 0.5, None, 1.0);
        let squares = [0.25, 0.0625, 0.015625, 0.015625];
        let total: f64 = squares.iter().sum();
        for ((_, p), square) in found.iter().zip(squares) {
            assert!((p - square / total).abs() < 1e-6);
        }
    }

    #[test]
    fn cuts_keep_the_most_likely() {
        let tokens = |top_k, top_p| candidates(&logits(), 1.0, top_k, top_p).iter().map(|c| c.0).collect::<Vec<_>>();
        assert_eq!(tokens(Some(1), 1.0), [0]);
        assert_eq!(tokens(Some(3), 1.0), [0, 1, 2]);
        assert_eq!(tokens(Some(9), 1.0), [0, 1, 2, 3]);
        assert_eq!(tokens(None, 0.4), [0]);
        assert_eq!(tokens(None, 0.6), [0, 1]);
        assert_eq!(tokens(None, 0.8), [0, 1, 2]);
        // Top-p applies to what top-k left: 0.5 of 0.75 is above 0.6.
        assert_eq!(tokens(Some(2), 0.6), [0]);
    }

    #[test]
    fn a_point_just_past_the_total_is_a_token_that_can_be_drawn() {
        let inf = f32::NEG_INFINITY;
        let found = candidates(&[0.0, inf, 1.0, inf], 1.0, None, 1.0);
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
    fn values_that_cannot_be_are_refused() {
        let random =
            |temperature, top_k, top_p| Sampler::new(Sampling::Random { temperature, top_k, top_p }, 0).is_err();
        assert!(
            random(-1.0, None, 1.0)
                && random(f64::NAN, None, 1.0)
                && random(1.0, Some(0), 1.0)
                && random(1.0, None, 0.0)
        );
        let zero = Sampling::Random { temperature: 0.0, top_k: None, top_p: 1.0 };
        let error = Sampler::new(zero, 0).unwrap_err().to_string();
        assert!(error.contains("temperature 0 must be a number above 0; use Sampling::Greedy for 0"), "{error}");
        let mut sampler = Sampler::new(Sampling::Greedy, 0).unwrap();
        assert!(sampler.sample(&[]).is_err() && sampler.sample(&[0.0, f32::NAN]).is_err());
        assert!(sampler.sample(&[0.0, f32::INFINITY]).is_err() && sampler.sample(&[f32::NEG_INFINITY; 2]).is_err());
        assert_eq!(sampler.sample(&[f32::NEG_INFINITY, 0.0]).unwrap(), 1);
    }
}
