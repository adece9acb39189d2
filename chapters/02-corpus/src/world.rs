//! A closed world of invented towns, small enough to know everything about it.
//!
//! Real text has two drawbacks for a first pipeline: nobody knows which pages are bad, and nobody knows what a model
//! should have learnt from the good ones. So we invent both. A [`World`] is `n_towns` towns with five facts each
//! ([`Attribute`]). [`World::write_warc`] writes a noisy crawl about them and returns the [`Truth`]: what every stage of
//! the pipeline must do with every page. The facts later score the model: every fact about every town is somewhere in
//! the corpus, and questions about a quarter of the towns are held out of finetuning.
//!
//! All of it is a function of [`WorldConfig`]; the same configuration gives the same bytes.

mod attribute;
mod crawl;
mod foreign;
mod junk;
mod names;
mod phrases;
mod prose;
mod template;

use std::path::Path;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

pub use attribute::{Attribute, N_PARAPHRASES};
pub use crawl::CrawledPage;

use crate::decontaminate::TestItem;
use crate::setting::{InvalidSetting, holds, share};
use crate::truth::Truth;

// ANCHOR: world_config
/// The size of the world and the noise of its crawl. Shares are relative to `n_pages`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorldConfig {
    /// Decides everything that is random.
    pub seed: u64,
    /// Number of towns; a quarter of them is held out of finetuning.
    pub n_towns: usize,
    /// Number of clean, distinct pages.
    pub n_pages: usize,
    /// Pages with the main text of another page, under another address and in another layout.
    pub exact_copies: f64,
    /// Pages with the main text of another page, slightly edited.
    pub near_copies: f64,
    /// Pages in German, French, Spanish or Italian.
    pub foreign: f64,
    /// Pages full of unwanted vocabulary.
    pub spam: f64,
    /// Keyword lists, symbol soup, one-liners and other pages without prose.
    pub junk: f64,
    /// Pages with questions of the exam and their answers.
    pub leaks: f64,
    /// Share of the clean pages that carry an e-mail address or a telephone number.
    pub personal: f64,
}
// ANCHOR_END: world_config

impl Default for WorldConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            n_towns: 64,
            n_pages: 14_000,
            exact_copies: 0.06,
            near_copies: 0.06,
            foreign: 0.06,
            spam: 0.03,
            junk: 0.06,
            leaks: 0.02,
            personal: 0.05,
        }
    }
}

impl WorldConfig {
    /// Checks the ranges of all settings.
    ///
    /// # Errors
    /// The first setting outside its range.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        let towns = 4..=names::MAX_TOWNS;
        holds(towns.contains(&self.n_towns), "world.n_towns", self.n_towns, "choose from 4 to 1000 towns")?;
        holds(self.n_pages > 0, "world.n_pages", self.n_pages, "choose at least one page")?;
        share("world.exact_copies", self.exact_copies)?;
        share("world.near_copies", self.near_copies)?;
        share("world.foreign", self.foreign)?;
        share("world.spam", self.spam)?;
        share("world.junk", self.junk)?;
        share("world.leaks", self.leaks)?;
        share("world.personal", self.personal)
    }
}

/// A town: its name and, for each attribute, the index of its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Town {
    /// An invented name of two or three syllables.
    pub name: String,
    values: [usize; Attribute::ALL.len()],
}

impl Town {
    /// What is true of the town.
    pub fn value(&self, attribute: Attribute) -> &'static str {
        attribute.values()[self.values[attribute as usize]]
    }

    /// The fact in wording `paraphrase`.
    pub fn sentence(&self, attribute: Attribute, paraphrase: usize) -> String {
        attribute.sentence(paraphrase, &self.name, self.value(attribute))
    }
}

/// The towns, and which of them finetuning may see.
#[derive(Debug, Clone)]
pub struct World {
    config: WorldConfig,
    towns: Vec<Town>,
    n_finetuning: usize,
}

impl World {
    /// Invents the towns and their facts.
    ///
    /// # Errors
    /// A setting outside its range.
    pub fn generate(config: &WorldConfig) -> Result<Self, InvalidSetting> {
        config.validate()?;
        let mut rng = stream(config.seed, Purpose::Towns, 0);
        let towns = names::draw(config.n_towns, &mut rng)
            .into_iter()
            .map(|name| Town { name, values: Attribute::ALL.map(|a| phrases::index(&mut rng, a.values().len())) })
            .collect();
        // The names come in random order, so the first three quarters are a random choice.
        let n_finetuning = config.n_towns * 3 / 4;
        Ok(Self { config: config.clone(), towns, n_finetuning })
    }

    /// The configuration that made this world.
    pub fn config(&self) -> &WorldConfig {
        &self.config
    }

    /// All towns: first the finetuning towns, then the held-out ones.
    pub fn towns(&self) -> &[Town] {
        &self.towns
    }

    /// Three quarters of the towns: finetuning may ask about them.
    pub fn finetuning_towns(&self) -> &[Town] {
        &self.towns[..self.n_finetuning]
    }

    /// One quarter of the towns: the corpus tells their facts, but only the exam asks about them.
    pub fn held_out_towns(&self) -> &[Town] {
        &self.towns[self.n_finetuning..]
    }

    /// The exam: every question about every held-out town, once with the full and once with the curt answer.
    pub fn test_items(&self) -> Vec<TestItem> {
        let facts = self.held_out_towns().iter().flat_map(|town| Attribute::ALL.map(|a| (town, a)));
        facts
            .flat_map(|(town, attribute)| {
                let value = town.value(attribute);
                [attribute.full_answer(&town.name, value), attribute.curt_answer(value)]
                    .map(|answer| TestItem { question: attribute.question(&town.name), answer })
            })
            .collect()
    }

    /// `n` distinct names that sound like towns and are none; fewer if the syllables do not give as many (about 3,400).
    pub fn invented_names(&self, n: usize, seed: u64) -> Vec<String> {
        let mut rng = stream(seed, Purpose::InventedNames, 0);
        let mut names = names::all();
        names.retain(|name| self.towns.iter().all(|town| town.name != *name));
        names.shuffle(&mut rng);
        names.truncate(n);
        names
    }

    /// The texts of the clean pages, as a perfect pipeline would give them (personal data unmasked): for small experiments.
    pub fn clean_texts(&self) -> Vec<String> {
        (0..self.config.n_pages).map(|index| prose::clean_page(self, index).plain()).collect()
    }

    /// The crawl in memory: every page's HTML and the truth about it, in crawl order.
    pub fn crawl(&self) -> Vec<CrawledPage> {
        crawl::crawl(self)
    }

    /// Writes the crawl to `path` (`.warc`, or `.warc.gz`) and returns the truth about its pages.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_warc(&self, path: &Path) -> std::io::Result<Truth> {
        crawl::write_warc(self.crawl(), path)
    }
}

/// What a random stream is for; streams with different purposes are independent.
#[derive(Clone, Copy)]
enum Purpose {
    Towns = 1,
    InventedNames,
    CleanPage,
    Copies,
    Foreign,
    Spam,
    Junk,
    Leak,
    Order,
    Layout,
}

/// The random stream number `index` for one purpose. Pages drawn from streams of their own can be made on any thread,
/// in any order, and come out the same.
fn stream(seed: u64, purpose: Purpose, index: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(((purpose as u64) << 48) | index as u64);
    rng
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn towns_are_distinct_and_split_three_to_one() {
        let world = World::generate(&WorldConfig::default()).unwrap();
        let names: std::collections::HashSet<_> = world.towns().iter().map(|t| &t.name).collect();
        assert_eq!(names.len(), 64);
        assert_eq!((world.finetuning_towns().len(), world.held_out_towns().len()), (48, 16));
        assert_eq!(world.test_items().len(), 16 * 5 * 2);
    }

    #[test]
    fn invented_names_are_not_towns() {
        let world = World::generate(&WorldConfig::default()).unwrap();
        let invented = world.invented_names(700, 1);
        assert_eq!(invented.len(), 700);
        assert!(world.towns().iter().all(|town| !invented.contains(&town.name)));
        assert_ne!(invented, world.invented_names(700, 2));
    }

    #[test]
    fn another_seed_is_another_world() {
        let world = |seed| World::generate(&WorldConfig { seed, ..Default::default() }).unwrap();
        assert_eq!(world(1).towns(), world(1).towns());
        assert_ne!(world(1).towns(), world(2).towns());
    }

    #[test]
    fn a_setting_outside_its_range_is_named() {
        let error = World::generate(&WorldConfig { n_towns: 3, ..Default::default() }).unwrap_err();
        assert_eq!(error.to_string(), "world.n_towns is 3; choose from 4 to 1000 towns");
        let error = World::generate(&WorldConfig { junk: -0.1, ..Default::default() }).unwrap_err();
        assert_eq!(error.to_string(), "world.junk is -0.1; choose a share from 0 to 1");
    }
}
