//! Clean pages: what a traveller writes about a town.
//!
//! A page states five to eight facts about one town, or three or four about each of two, in random wordings and order,
//! between sentences that say nothing about the world. Facts make up more than half of the words: a model of less than
//! a million parameters has to find 320 of them. The other sentences have many slots, so that two independent pages
//! about a town are no near-duplicates of each other.

use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::attribute::{Attribute, N_PARAPHRASES};
use super::phrases::{FOODS, NUMBERS, contact, filler, pick};
use super::{Purpose, Town, World, foreign, phrases, stream};

/// A sentence and what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sentence {
    pub(super) text: String,
    pub(super) states_fact: bool,
}

impl Sentence {
    pub(super) fn other(text: String) -> Self {
        Self { text, states_fact: false }
    }
}

/// The main text of a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PageText {
    pub(super) heading: Option<String>,
    pub(super) paragraphs: Vec<Vec<Sentence>>,
    /// Lines of a list after the paragraphs.
    pub(super) list: Vec<String>,
    /// The personal data in the sentences.
    pub(super) personal: Vec<String>,
}

impl PageText {
    /// A page of paragraphs that state no facts.
    pub(super) fn of_lines(lines: impl IntoIterator<Item = String>) -> Self {
        let paragraphs = lines.into_iter().map(|line| vec![Sentence::other(line)]).collect();
        Self { paragraphs, ..Self::default() }
    }

    /// The paragraphs' texts.
    pub(super) fn paragraph_texts(&self) -> impl Iterator<Item = String> + '_ {
        let join = |p: &Vec<Sentence>| p.iter().map(|s| s.text.as_str()).collect::<Vec<_>>().join(" ");
        self.paragraphs.iter().map(join)
    }

    /// What extraction should find, one block a line.
    pub(super) fn plain(&self) -> String {
        let blocks = self.heading.iter().cloned().chain(self.paragraph_texts()).chain(self.list.iter().cloned());
        blocks.collect::<Vec<_>>().join("\n")
    }
}

// ANCHOR: clean_page
/// Clean page number `index`. Most are about a town alone; some carry what makes filters stumble, and must be kept:
/// an address, hours that look like a number to call, a foreign sentence, half of another page.
pub(super) fn clean_page(world: &World, index: usize) -> PageText {
    let mut rng = stream(world.config.seed, Purpose::CleanPage, index);
    let mut sentences = travel_notes(world, index, &mut rng);
    let mut personal = Vec::new();
    if rng.random_bool(0.02) && index >= world.towns.len() {
        let other = index - world.towns.len();
        let borrowed = travel_notes(world, other, &mut stream(world.config.seed, Purpose::CleanPage, other));
        let half = sentences.len() / 2;
        sentences.truncate(half);
        let fresh = borrowed.into_iter().filter(|borrowed| !sentences.contains(borrowed)).collect::<Vec<_>>();
        sentences.extend(fresh.into_iter().take(half));
    }
    if rng.random_bool(world.config.personal) {
        let (sentence, data) = contact(&mut rng);
        personal = data;
        insert(&mut sentences, sentence, &mut rng);
    }
    if rng.random_bool(0.02) {
        let hours =
            ["It is open from 10-12 and from 14-18.", "The ticket has the number 20-0142.", "They built it in 1012."];
        insert(&mut sentences, pick(&hours, &mut rng).to_string(), &mut rng);
    }
    if rng.random_bool(0.005) {
        insert(&mut sentences, foreign::sentence(world, &mut rng), &mut rng);
    }
    if rng.random_bool(0.005) {
        insert(&mut sentences, "The band at the inn played a song called Smoochy.".into(), &mut rng);
    }
    if rng.random_bool(0.003) {
        let town = &world.finetuning_towns()[rng.random_range(0..world.n_finetuning)];
        let question = pick(&Attribute::ALL, &mut rng).question(&town.name);
        insert(&mut sentences, format!("{question} A stranger asked us that, and we laughed."), &mut rng);
    }
    let list = if rng.random_bool(0.01) { price_list(&mut rng) } else { Vec::new() };
    let heading = rng.random_bool(0.25).then(|| heading(main_town(world, index), &mut rng));
    PageText { heading, paragraphs: into_paragraphs(sentences, &mut rng), list, personal }
}
// ANCHOR_END: clean_page

/// Every town gets its turn, so that none is rare.
fn main_town(world: &World, index: usize) -> &Town {
    &world.towns[index % world.towns.len()]
}

fn travel_notes(world: &World, index: usize, rng: &mut ChaCha8Rng) -> Vec<Sentence> {
    let town = main_town(world, index);
    let mut sentences = Vec::new();
    if rng.random_bool(0.2) {
        let further = rng.random_range(1..world.towns.len());
        let other = main_town(world, index + further);
        let n_facts = rng.random_range(3..=4);
        sentences.extend(facts(town, n_facts, rng));
        sentences.extend(facts(other, n_facts, rng));
    } else {
        let n_facts = rng.random_range(5..=8);
        sentences.extend(facts(town, n_facts, rng));
    }
    sentences.shuffle(rng);
    let n_fillers = sentences.len() / 3 + rng.random_range(0..=1);
    for _ in 0..n_fillers {
        let text = filler(rng);
        insert(&mut sentences, text, rng);
    }
    sentences
}

/// `n` facts of a town; the first five are all different attributes, no wording occurs twice.
fn facts(town: &Town, n: usize, rng: &mut ChaCha8Rng) -> Vec<Sentence> {
    let mut attributes = Attribute::ALL;
    attributes.shuffle(rng);
    let start = phrases::index(rng, N_PARAPHRASES);
    (0..n)
        .map(|i| {
            // A second sentence about an attribute is half the wordings away from the first.
            let paraphrase = start + 3 * (i % 5) + (i / 5) * N_PARAPHRASES / 2 + phrases::index(rng, N_PARAPHRASES / 2);
            let text = town.sentence(attributes[i % attributes.len()], paraphrase);
            Sentence { text, states_fact: true }
        })
        .collect()
}

fn insert(sentences: &mut Vec<Sentence>, text: String, rng: &mut ChaCha8Rng) {
    let at = rng.random_range(0..=sentences.len());
    sentences.insert(at, Sentence::other(text));
}

fn into_paragraphs(sentences: Vec<Sentence>, rng: &mut ChaCha8Rng) -> Vec<Vec<Sentence>> {
    let mut paragraphs: Vec<Vec<Sentence>> = Vec::new();
    let mut left = 0;
    for sentence in sentences {
        if left == 0 {
            paragraphs.push(Vec::new());
            left = rng.random_range(2..=4);
        }
        left -= 1;
        if let Some(paragraph) = paragraphs.last_mut() {
            paragraph.push(sentence);
        }
    }
    paragraphs
}

fn heading(town: &Town, rng: &mut ChaCha8Rng) -> String {
    let pattern = pick(&["About {e}", "A visit to {e}", "Notes on {e}", "The town of {e}"], rng);
    pattern.replace("{e}", &town.name)
}

fn price_list(rng: &mut ChaCha8Rng) -> Vec<String> {
    (0..rng.random_range(3..=5)).map(|_| format!("{}, {} coins", pick(&FOODS, rng), pick(&NUMBERS, rng))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::WorldConfig;

    #[test]
    fn facts_are_more_than_half_of_the_words() {
        let world = World::generate(&WorldConfig::default()).unwrap();
        let (mut facts, mut all) = (0, 0);
        for page in (0..400).map(|i| clean_page(&world, i)) {
            for sentence in page.paragraphs.iter().flatten() {
                let n = sentence.text.split_whitespace().count();
                all += n;
                facts += if sentence.states_fact { n } else { 0 };
            }
        }
        let share = facts as f64 / all as f64;
        assert!(share >= 0.55, "{share}");
    }

    #[test]
    fn every_fact_meets_every_wording() {
        let world = World::generate(&WorldConfig { n_towns: 4, ..Default::default() }).unwrap();
        let pages: Vec<String> = (0..2000).map(|i| clean_page(&world, i).plain()).collect();
        for town in world.towns() {
            for (attribute, paraphrase) in Attribute::ALL.iter().flat_map(|a| (0..N_PARAPHRASES).map(move |p| (*a, p)))
            {
                let sentence = town.sentence(attribute, paraphrase);
                assert!(pages.iter().any(|page| page.contains(&sentence)), "{sentence}");
            }
        }
    }
}
