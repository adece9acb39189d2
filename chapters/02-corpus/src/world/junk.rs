//! Pages that nobody should learn from: spam, and eight kinds of junk.
//!
//! The spam is written around invented words ([`SPAM_WORDS`]) that stand in for the real lists. Each kind of junk is what
//! a quality rule was made for.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::World;
use super::phrases::{NUMBERS, PLACES, filler, pick};
use super::prose::{PageText, Sentence, clean_page};
use crate::word_lists::SPAM_WORDS;

/// Spam: sentences around unwanted words, between ordinary ones.
pub(super) fn spam(rng: &mut ChaCha8Rng) -> PageText {
    const LINES: [&str; 6] = [
        "Come to our {x} tonight and bring your {y} to the party.",
        "The best {x} and {y} for you, and the first one is free.",
        "Have you seen the new {x}? It is better than any {y}.",
        "Click here to win a {x} with a {y} of your own.",
        "Every night the {x} is waiting for you and your {y}.",
        "You want to meet a {x} that knows the {y}.",
    ];
    let mut lines = Vec::new();
    for _ in 0..rng.random_range(4..=8) {
        let unwanted = pick(&LINES, rng).replace("{x}", pick(&SPAM_WORDS, rng)).replace("{y}", pick(&SPAM_WORDS, rng));
        lines.push(format!("{unwanted} {}", filler(rng)));
    }
    PageText::of_lines(lines)
}

/// Junk of a random kind, and what is wrong with it.
pub(super) fn junk(world: &World, rng: &mut ChaCha8Rng) -> (PageText, &'static str) {
    match rng.random_range(0..8) {
        0 => (keywords(world, rng), "keywords"),
        1 => (symbols(rng), "symbols"),
        2 => (one_liner(rng), "one-liner"),
        3 => (repeated(world, rng), "repetition"),
        4 => (placeholder(rng), "placeholder"),
        5 => (teasers(rng), "teasers"),
        6 => (numbers(rng), "numbers"),
        _ => (garbled(rng), "garbled"),
    }
}

fn keywords(world: &World, rng: &mut ChaCha8Rng) -> PageText {
    const OFFERS: [&str; 6] = [
        "cheap {e} rooms",
        "best {p} prices",
        "buy {p} tickets online",
        "visit {e} today",
        "book your {p} now",
        "special weekend offers",
    ];
    let offer = |rng: &mut ChaCha8Rng| {
        let town = pick(world.towns(), rng);
        pick(&OFFERS, rng).replace("{e}", &town.name).replace("{p}", pick(&PLACES, rng))
    };
    let line = |rng: &mut ChaCha8Rng| (0..9).map(|_| offer(rng)).collect::<Vec<_>>().join(", ");
    PageText::of_lines((0..rng.random_range(3..=6)).map(|_| line(rng)).collect::<Vec<_>>())
}

fn symbols(rng: &mut ChaCha8Rng) -> PageText {
    let line = |rng: &mut ChaCha8Rng| format!("### # {} # ### {} ### # # ... ###", filler(rng), pick(&NUMBERS, rng));
    PageText::of_lines((0..rng.random_range(4..=7)).map(|_| line(rng)).collect::<Vec<_>>())
}

fn one_liner(rng: &mut ChaCha8Rng) -> PageText {
    const LINES: [&str; 4] = [
        "The page that you asked for does not exist.",
        "Please log in to see this page.",
        "There are no comments yet.",
        "This shop is closed, come back later.",
    ];
    PageText::of_lines([format!("{} {}", pick(&LINES, rng), filler(rng))])
}

/// Some prose, then one line many times.
fn repeated(world: &World, rng: &mut ChaCha8Rng) -> PageText {
    let mut page = clean_page(world, rng.random_range(0..1 << 20));
    page.personal.clear();
    page.heading = None;
    page.paragraphs.truncate(1);
    let line = filler(rng);
    let n = rng.random_range(8..=15);
    page.paragraphs.extend((0..n).map(|_| vec![Sentence::other(line.clone())]));
    page
}

fn placeholder(rng: &mut ChaCha8Rng) -> PageText {
    let first = "Lorem ipsum dolor sit amet is what we write here until the text comes.".to_string();
    PageText::of_lines(
        std::iter::once(first).chain((0..rng.random_range(4..=6)).map(|_| filler(rng))).collect::<Vec<_>>(),
    )
}

/// The beginnings of articles that stand elsewhere.
fn teasers(rng: &mut ChaCha8Rng) -> PageText {
    let teaser = |rng: &mut ChaCha8Rng| format!("{} Read more...", filler(rng).trim_end_matches('.'));
    PageText::of_lines((0..rng.random_range(5..=9)).map(|_| teaser(rng)).collect::<Vec<_>>())
}

fn numbers(rng: &mut ChaCha8Rng) -> PageText {
    let row = |rng: &mut ChaCha8Rng| {
        let cells: Vec<String> = (0..12).map(|_| rng.random_range(0..9999).to_string()).collect();
        format!("The {} of {}: {}", pick(&PLACES, rng), pick(&NUMBERS, rng), cells.join(" "))
    };
    PageText::of_lines((0..rng.random_range(4..=8)).map(|_| row(rng)).collect::<Vec<_>>())
}

/// What is left of a page after a conversion that lost its spaces.
fn garbled(rng: &mut ChaCha8Rng) -> PageText {
    let line = |rng: &mut ChaCha8Rng| {
        let text = format!("{} {} {}", filler(rng), filler(rng), filler(rng));
        let words: Vec<&str> = text.split(' ').collect();
        words.chunks(4).map(|chunk| chunk.concat()).collect::<Vec<_>>().join(" ")
    };
    PageText::of_lines((0..rng.random_range(5..=8)).map(|_| line(rng)).collect::<Vec<_>>())
}
