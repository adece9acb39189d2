//! The settings of a sampler: how a token is chosen, and their limits.

use candle_core::{Result, bail};

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
        /// What of the tail cannot be drawn.
        cuts: Cuts,
    },
}

/// Which tokens may be drawn at all. Applied in this order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cuts {
    /// Keep this many of the most likely tokens; `None` keeps all.
    pub top_k: Option<usize>,
    /// Keep the smallest set of most likely tokens that reaches this probability; 1.0 keeps all.
    pub top_p: f64,
    /// Keep the tokens whose probability is at least this share of the most likely one's; 0.0 keeps all.
    pub min_p: f64,
}

impl Cuts {
    /// Keeps every token.
    pub const NONE: Self = Self { top_k: None, top_p: 1.0, min_p: 0.0 };
}
// ANCHOR_END: sampling

impl Sampling {
    /// Sampling from the model's own distribution, cut by nothing; temperature 0 means greedy.
    pub fn at_temperature(temperature: f64) -> Self {
        if temperature == 0.0 {
            return Self::Greedy;
        }
        Self::Random { temperature, cuts: Cuts::NONE }
    }

    /// Checks the values.
    ///
    /// # Errors
    /// Names the value that cannot be.
    pub fn validate(&self) -> Result<()> {
        let Self::Random { temperature, cuts } = *self else { return Ok(()) };
        if !(temperature > 0.0 && temperature.is_finite()) {
            bail!("temperature {temperature} must be a number above 0; 0 itself is greedy decoding");
        }
        cuts.validate()
    }
}

impl Cuts {
    /// Checks the values.
    ///
    /// # Errors
    /// Names the value that cannot be.
    pub fn validate(&self) -> Result<()> {
        let Self { top_k, top_p, min_p } = *self;
        if top_k == Some(0) {
            bail!("top_k 0 must be at least 1, or no token is kept; leave it out to keep all");
        }
        if !(top_p > 0.0 && top_p <= 1.0) {
            bail!("top_p {top_p} must be above 0 and at most 1");
        }
        if !(0.0..=1.0).contains(&min_p) {
            bail!("min_p {min_p} must be from 0 to 1");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_cannot_be_are_named_with_their_range() {
        let message = |temperature, top_k, top_p, min_p| {
            let random = Sampling::Random { temperature, cuts: Cuts { top_k, top_p, min_p } };
            random.validate().err().map(|error| error.to_string().lines().next().unwrap().to_string())
        };
        assert_eq!(message(0.1, Some(1), 1.0, 0.0), None);
        assert_eq!(message(9.0, None, 1e-9, 1.0), None);
        for temperature in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let found = message(temperature, None, 1.0, 0.0).unwrap();
            assert!(found.contains(&format!("temperature {temperature} must be a number above 0")), "{found}");
        }
        for top_p in [0.0, -0.1, 1.1, f64::NAN] {
            let expected = format!("top_p {top_p} must be above 0 and at most 1");
            assert_eq!(message(1.0, None, top_p, 0.0), Some(expected));
        }
        for min_p in [-0.1, 1.1, f64::NAN] {
            assert_eq!(message(1.0, None, 1.0, min_p), Some(format!("min_p {min_p} must be from 0 to 1")));
        }
        assert!(message(1.0, Some(0), 1.0, 0.0).unwrap().contains("top_k 0 must be at least 1"));
        assert_eq!(Sampling::at_temperature(0.0), Sampling::Greedy);
    }
}
