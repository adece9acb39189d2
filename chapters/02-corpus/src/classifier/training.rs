//! Training: stochastic gradient descent with a step of its own for every weight (AdaGrad, Duchi et al. 2011).
//!
//! For one page with label $y \in \{0, 1\}$ the loss is $-y \log p - (1 - y) \log (1 - p)$, and its gradient is
//! $(p - y)\,x$: only the weights of the page's own words move. A frequent word moves at every page and a rare one hardly
//! ever, so each weight's step shrinks with its own past gradients:
//!
//! $$G_j \leftarrow G_j + g_j^2, \qquad w_j \leftarrow w_j - \frac{\eta}{\sqrt{G_j} + \epsilon}\, g_j$$
//!
//! Weight decay acts on the weights of the page at hand alone, or every step would touch all of them. The two sets
//! weigh the same, however many pages each has. One thread and a seeded order: the same pages give the same file.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Classifier, Features, sigmoid};
use crate::setting::{InvalidSetting, holds};

/// How to train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingConfig {
    /// Runs of 1 to this many words are features.
    pub max_run: usize,
    /// The model has 2 to the power of this many weights.
    pub log2_weights: u32,
    /// Passes over the pages.
    pub n_epochs: usize,
    /// The step $\eta$.
    pub learning_rate: f64,
    /// Strength of the pull towards zero.
    pub weight_decay: f64,
    /// Order of the pages.
    pub seed: u64,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self { max_run: 2, log2_weights: 18, n_epochs: 5, learning_rate: 0.1, weight_decay: 1e-5, seed: 0 }
    }
}

impl TrainingConfig {
    /// # Errors
    /// The first setting outside its range.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        holds((1..=5).contains(&self.max_run), "classifier.max_run", self.max_run, "choose from 1 to 5 words")?;
        let possible = (8..=super::file::MAX_LOG2_WEIGHTS).contains(&self.log2_weights);
        holds(possible, "classifier.log2_weights", self.log2_weights, "choose from 8 to 24")?;
        holds(self.n_epochs > 0, "classifier.n_epochs", self.n_epochs, "choose 1 or more")?;
        let is_step = self.learning_rate > 0.0 && self.learning_rate.is_finite();
        holds(is_step, "classifier.learning_rate", self.learning_rate, "choose a number above 0, such as 0.1")?;
        let is_decay = (0.0..1.0).contains(&self.weight_decay);
        holds(is_decay, "classifier.weight_decay", self.weight_decay, "choose from 0 to less than 1, such as 1e-5")
    }
}

// ANCHOR: train
/// A classifier that tells pages like `positive` from pages like `negative`.
///
/// # Errors
/// A setting outside its range, or a set without pages.
pub fn train<S: AsRef<str> + Sync>(
    positive: &[S],
    negative: &[S],
    config: &TrainingConfig,
) -> Result<Classifier, InvalidSetting> {
    config.validate()?;
    for (name, set) in [("classifier.positive", positive), ("classifier.negative", negative)] {
        holds(!set.is_empty(), name, "empty", "give some pages of each kind; a few hundred are a start")?;
    }
    let n_weights = 1usize << config.log2_weights;
    let labelled = [(positive, 1.0), (negative, 0.0)];
    let n = (positive.len() + negative.len()) as f64;
    let mut pages: Vec<Page> = Vec::with_capacity(positive.len() + negative.len());
    for (set, label) in labelled {
        let weight = n / (2.0 * set.len() as f64);
        let features = set.par_iter().map(|text| Features::of(text.as_ref(), config.max_run, n_weights));
        pages.par_extend(features.map(|x| Page { x, label, weight }));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
    let mut descent = Descent::new(n_weights, config);
    for _ in 0..config.n_epochs {
        pages.shuffle(&mut rng);
        pages.iter().for_each(|page| descent.step(page));
    }
    Ok(descent.model)
}

struct Page {
    x: Features,
    label: f64,
    weight: f64,
}

/// The model, and of each weight the sum of its squared gradients; the bias comes last.
struct Descent<'a> {
    model: Classifier,
    squares: Vec<f32>,
    config: &'a TrainingConfig,
}

impl<'a> Descent<'a> {
    fn new(n_weights: usize, config: &'a TrainingConfig) -> Self {
        let model = Classifier { max_run: config.max_run, weights: vec![0.0; n_weights], bias: 0.0 };
        Self { model, squares: vec![0.0; n_weights + 1], config }
    }

    fn step(&mut self, page: &Page) {
        let error = page.weight * (sigmoid(self.model.logit(&page.x)) - page.label);
        let rate = self.config.learning_rate as f32;
        for &(j, value) in &page.x.0 {
            let j = j as usize;
            let weight = &mut self.model.weights[j];
            let gradient = error as f32 * value + self.config.weight_decay as f32 * *weight;
            *weight -= rate * scaled(gradient, &mut self.squares[j]);
        }
        let n_weights = self.model.weights.len();
        self.model.bias -= rate * scaled(error as f32, &mut self.squares[n_weights]);
    }
}
// ANCHOR_END: train

/// The gradient over the root of its past squares, this one included.
fn scaled(gradient: f32, squares: &mut f32) -> f32 {
    const EPSILON: f32 = 1e-8;
    *squares += gradient * gradient;
    gradient / (squares.sqrt() + EPSILON)
}
