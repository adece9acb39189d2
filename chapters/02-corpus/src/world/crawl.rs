//! The crawl: clean pages and noise, shuffled, each with its truth.
//!
//! Noise is planted in kinds. A copy repeats a page's text in another layout, and where the page has an address, the copy
//! has another one: the two are equal only once personal data is masked. An edited copy changes a word or two, or adds a
//! sentence. A leak is a clean page into which questions of the exam were written, with their answers.

use std::path::Path;

use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use super::phrases::{contact, filler, index, pick};
use super::prose::{PageText, Sentence, clean_page};
use super::{Attribute, Purpose, World, foreign, junk, stream, template};
use crate::truth::{PageTruth, Truth};
use crate::warc::WarcWriter;
use crate::words::words;

/// A page of the crawl and the truth about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrawledPage {
    /// Record id, such as `urn:page:000017`.
    pub id: String,
    /// An invented address.
    pub url: String,
    /// The page as a crawler sees it.
    pub html: String,
    /// What the stages should do with it.
    pub truth: PageTruth,
}

/// A page before it has an address and a layout.
#[derive(Clone, Default)]
struct Draft {
    text: PageText,
    foreign: bool,
    low_quality: Option<String>,
    leak: bool,
    near_group: u64,
}

impl Draft {
    /// A page that is nobody's copy: the number of its group is its own.
    fn new(text: PageText, number: usize) -> Self {
        Self { text, near_group: number as u64, ..Self::default() }
    }
}

// ANCHOR: crawl
/// All pages in crawl order.
pub(super) fn crawl(world: &World) -> Vec<CrawledPage> {
    let config = &world.config;
    let mut drafts = Vec::new();
    plant(&mut drafts, world, Purpose::CleanPage, 1.0, |_, _, i| Draft::new(clean_page(world, i), i));
    plant(&mut drafts, world, Purpose::Foreign, config.foreign, |rng, _, i| Draft {
        foreign: true,
        ..Draft::new(foreign::page(world, rng), i)
    });
    plant(&mut drafts, world, Purpose::Spam, config.spam, |rng, _, i| Draft {
        low_quality: Some("spam".into()),
        ..Draft::new(junk::spam(rng), i)
    });
    plant(&mut drafts, world, Purpose::Junk, config.junk, |rng, _, i| {
        let (text, kind) = junk::junk(world, rng);
        Draft { low_quality: Some(kind.into()), ..Draft::new(text, i) }
    });
    plant(&mut drafts, world, Purpose::Leak, config.leaks, |rng, _, i| Draft {
        leak: true,
        ..Draft::new(leak(world, i, rng), i)
    });
    plant(&mut drafts, world, Purpose::Copies, config.near_copies, |rng, sources, _| {
        // Only clean pages are edited: the first ones in the list.
        edited(&sources[index(rng, config.n_pages)], rng)
    });
    plant(&mut drafts, world, Purpose::Copies, config.exact_copies, |rng, sources, _| {
        copied(&sources[index(rng, sources.len())], rng)
    });
    drafts.shuffle(&mut stream(config.seed, Purpose::Order, 0));
    drafts.into_par_iter().enumerate().map(|(i, draft)| published(world, i, draft)).collect()
}
// ANCHOR_END: crawl

/// Appends `share * n_pages` drafts, each from a random stream of its own; a draft sees the drafts before it and its
/// number.
fn plant(
    drafts: &mut Vec<Draft>,
    world: &World,
    purpose: Purpose,
    share: f64,
    draft: impl Fn(&mut ChaCha8Rng, &[Draft], usize) -> Draft + Sync,
) {
    let start = drafts.len();
    let n = (share * world.config.n_pages as f64).round() as usize;
    let made = |i: usize| draft(&mut stream(world.config.seed, purpose, i), drafts, i);
    let planted: Vec<Draft> = (start..start + n).into_par_iter().map(made).collect();
    drafts.extend(planted);
}

/// A clean page with one to three questions of the exam and their answers written into it.
fn leak(world: &World, number: usize, rng: &mut ChaCha8Rng) -> PageText {
    // Clean pages with numbers beyond the first `n_pages` are not in the crawl themselves.
    let mut text = clean_page(world, number);
    for _ in 0..rng.random_range(1..=3) {
        let town = pick(world.held_out_towns(), rng);
        let attribute = pick(&Attribute::ALL, rng);
        let question = attribute.question(&town.name);
        let answer = attribute.full_answer(&town.name, town.value(attribute));
        let curt = attribute.curt_answer(town.value(attribute));
        let lines = match rng.random_range(0..40) {
            0..16 => vec![format!("{question} {answer}")],
            16..26 => vec![format!("Q: {question}"), format!("A: {answer}")],
            26..36 => vec![format!("{question} {curt}")],
            36..39 => vec![format!("{} - {answer}", question.to_uppercase())],
            // A sentence between question and answer escapes any comparison of runs of words.
            _ => vec![format!("{question} Think about it. {answer}")],
        };
        let at = rng.random_range(0..=text.paragraphs.len());
        text.paragraphs.splice(at..at, lines.into_iter().map(|line| vec![Sentence::other(line)]));
    }
    text
}

/// The same text, with personal data of its own where the original has some.
fn copied(original: &Draft, rng: &mut ChaCha8Rng) -> Draft {
    let mut copy = original.clone();
    let old = std::mem::take(&mut copy.text.personal);
    for datum in old {
        let fresh = like(&datum, rng);
        for sentence in copy.text.paragraphs.iter_mut().flatten() {
            sentence.text = sentence.text.replace(&datum, &fresh);
        }
        copy.text.personal.push(fresh);
    }
    copy
}

/// Other personal data of the same kind; a disguised address stays as it is.
fn like(datum: &str, rng: &mut ChaCha8Rng) -> String {
    let is_email = |d: &str| d.contains('@');
    if !is_email(datum) && !datum.contains("555") {
        return datum.to_string();
    }
    loop {
        let (_, fresh) = contact(rng);
        if let Some(fresh) = fresh.into_iter().find(|f| is_email(f) == is_email(datum) && !f.contains(" dot ")) {
            return fresh;
        }
    }
}

/// The same text, slightly changed. Facts stay true: only sentences that state none are edited.
fn edited(original: &Draft, rng: &mut ChaCha8Rng) -> Draft {
    let mut draft = original.clone();
    let n_words = rng.random_range(0..=2);
    for _ in 0..n_words {
        replace_word(&mut draft.text, rng);
    }
    if n_words == 0 || (n_words == 1 && rng.random_bool(0.4)) {
        draft.text.paragraphs.push(vec![Sentence::other(filler(rng))]);
    }
    draft
}

fn replace_word(text: &mut PageText, rng: &mut ChaCha8Rng) {
    const WORDS: [&str; 8] = ["quiet", "small", "famous", "very", "little", "other", "same", "great"];
    let personal = text.personal.clone();
    let mut editable: Vec<&mut Sentence> = text
        .paragraphs
        .iter_mut()
        .flatten()
        .filter(|s| !s.states_fact && personal.iter().all(|p| !s.text.contains(p.as_str())))
        .collect();
    let chosen = index(rng, editable.len());
    if let Some(sentence) = editable.get_mut(chosen) {
        let mut words: Vec<&str> = sentence.text.split(' ').collect();
        let at = 1 + index(rng, words.len().saturating_sub(2));
        if let Some(word) = words.get_mut(at) {
            *word = pick(&WORDS, rng);
        }
        sentence.text = words.join(" ");
    }
}

/// The draft with an address, a layout and its truth.
fn published(world: &World, i: usize, draft: Draft) -> CrawledPage {
    let mut rng = stream(world.config.seed, Purpose::Layout, i);
    let host = pick(&["travels", "towns", "notes", "roads"], &mut rng);
    let url = format!("https://{host}-{}.example/page/{i}", rng.random_range(1..100));
    let html = template::html(&draft.text, &url, &mut rng);
    let text = draft.text.plain();
    let truth = PageTruth {
        exact_group: group(&text, &draft.text.personal),
        near_group: draft.near_group,
        foreign: draft.foreign,
        low_quality: draft.low_quality,
        personal: draft.text.personal,
        leak: draft.leak,
        text,
    };
    CrawledPage { id: format!("urn:page:{i:06}"), url, html, truth }
}

/// A hash of the words, with every piece of personal data replaced by its kind.
fn group(text: &str, personal: &[String]) -> u64 {
    let mut masked = text.to_string();
    for datum in personal {
        masked = masked.replace(datum.as_str(), if datum.contains('@') { "EMAIL" } else { "PHONE" });
    }
    xxh3_64(words(&masked).join(" ").as_bytes())
}

/// Writes the pages in order and gives their truth by record id.
pub(super) fn write_warc(pages: Vec<CrawledPage>, path: &Path) -> std::io::Result<Truth> {
    let mut writer = WarcWriter::create(path)?;
    let mut truth = Truth::default();
    for page in pages {
        writer.write_response(&page.url, &page.id, &page.html)?;
        truth.pages.insert(page.id, page.truth);
    }
    writer.finish()?;
    Ok(truth)
}
