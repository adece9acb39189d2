//! A small trained judge of quality: is this page like those of a set that we chose?
//!
//! Rules find what is wrong with a page. What is right about it no rule says, but examples do: GPT-3 (arXiv:2005.14165,
//! appendix A) kept pages that a linear classifier took for books and Wikipedia, and FineWeb-Edu (arXiv:2406.17557, section
//! 4) those that it took for lessons. Ours is the linear classifier of that kind: logistic regression on hashed runs of
//! words.
//!
//! $$p(y = 1 \mid x) = \sigma(b + w \cdot x), \qquad
//!   x_j = \frac{c_j}{\lVert c \rVert_2}, \qquad c_j = \#\{\text{runs } g \text{ of 1 or 2 words}: h(g) \bmod m = j\}$$
//!
//! There is no vocabulary: a run of words is hashed to one of $m$ weights (Weinberger et al., arXiv:0902.2206). Two runs
//! may meet in one weight; with $m = 2^{18}$ that costs little, and the size of the model is known before the text is.
//!
//! The file is a safetensors file with the tensor `weights` of $m + 1$ numbers, the last one $b$, and the settings as
//! metadata.

mod auc;
mod file;
mod training;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use self::auc::{CalibrationBin, auc, brier, calibration, score_of_top_share};
pub use self::file::ClassifierError;
pub use self::training::{TrainingConfig, train};
use crate::fences::prose;
use crate::setting::{InvalidSetting, share};
use crate::words::{hash_words, words};

/// A classifier as a filter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassifierConfig {
    /// The file that [`Classifier::save`] wrote.
    pub model: PathBuf,
    /// Pages that score less go.
    pub min_score: f64,
}

impl ClassifierConfig {
    pub(crate) fn validate(&self) -> Result<(), InvalidSetting> {
        share("classifier.min_score", self.min_score)
    }
}

/// Weights of hashed runs of words.
#[derive(Debug, Clone, PartialEq)]
pub struct Classifier {
    /// Runs of 1 to this many words are features.
    pub(crate) max_run: usize,
    /// A power of two of weights.
    pub(crate) weights: Vec<f32>,
    pub(crate) bias: f32,
}

impl Classifier {
    // ANCHOR: score
    /// How much `text` is like the positive set, from 0 to 1. Fenced code is left out.
    pub fn score(&self, text: &str) -> f64 {
        let x = Features::of(text, self.max_run, self.weights.len());
        sigmoid(self.logit(&x))
    }

    pub(crate) fn logit(&self, x: &Features) -> f64 {
        let product: f64 = x.0.iter().map(|&(j, value)| f64::from(self.weights[j as usize]) * f64::from(value)).sum();
        product + f64::from(self.bias)
    }
    // ANCHOR_END: score
}

pub(crate) fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

/// The non-zero features of a text: place and value, ordered by place, of length 1 as a vector.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Features(pub(crate) Vec<(u32, f32)>);

// ANCHOR: features
impl Features {
    /// `n_weights` is a power of two, so that its lowest bits choose the weight.
    pub(crate) fn of(text: &str, max_run: usize, n_weights: usize) -> Self {
        let words = words(&prose(text));
        let runs = (1..=max_run).flat_map(|n| words.windows(n));
        let mut places: Vec<u32> = runs.map(|run| (hash_words(run) & (n_weights as u64 - 1)) as u32).collect();
        places.sort_unstable();
        let counts: Vec<(u32, f32)> = places.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as f32)).collect();
        let length = counts.iter().map(|(_, count)| count * count).sum::<f32>().sqrt();
        Self(counts.into_iter().map(|(place, count)| (place, count / length)).collect())
    }
}
// ANCHOR_END: features
