//! The chapter's experiment: a small world's crawl, page by page and stage by stage.

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};

use crate::banding::candidate_probability;
use crate::build::{WorldCorpus, build_world};
use crate::html;
use crate::minhash::{self, Permutations};
use crate::pii;
use crate::pipeline::{PipelineConfig, Removal, Stage};
use crate::words::words;
use crate::world::{CrawledPage, World, WorldConfig};

/// Width of the printed lines in characters.
const WIDTH: usize = 70;

/// Prints the chapter's experiment.
///
/// # Errors
/// `out` or the temporary WARC file cannot be written.
pub fn tour(out: &mut dyn Write) -> Result<()> {
    let world = World::generate(&WorldConfig { seed: 2, n_pages: 1000, ..WorldConfig::default() })?;
    let config = PipelineConfig::default();
    let warc = temporary_warc();
    let corpus = build_world(&world, &config, &warc, &|_, _, _| {})?;
    std::fs::remove_file(&warc).ok();

    raw_and_clean(&world.crawl(), &corpus, out)?;
    removals(&corpus, &config, out)?;
    masking(&corpus, &config, out)?;
    section("the funnel", out)?;
    write!(out, "{}", corpus.cleaned.funnel)?;
    section("precision and recall", out)?;
    write!(out, "{}", corpus.scores)?;
    s_curve(out)
}

/// A name of its own for every call, so that tours can run side by side.
fn temporary_warc() -> PathBuf {
    static N_CALLS: AtomicUsize = AtomicUsize::new(0);
    let call = N_CALLS.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("corpus-tour-{}-{call}.warc", std::process::id()))
}

fn raw_and_clean(crawl: &[CrawledPage], corpus: &WorldCorpus, out: &mut dyn Write) -> Result<()> {
    let kept = |page: &&CrawledPage| corpus.cleaned.documents.iter().any(|d| d.id == page.id);
    let dressed = |page: &&CrawledPage| page.html.contains("cookie") && page.html.contains("class=\"sidebar\"");
    let mut candidates = crawl.iter().filter(|page| dressed(page) && page.html.len() < 2600).filter(kept);
    let page = candidates.next().context("the small world has a page in a rich layout")?;
    section("a page as the crawler sees it", out)?;
    for line in page.html.lines().filter(|line| !line.is_empty()) {
        writeln!(out, "{}", cut(line, WIDTH))?;
    }
    section("its main text", out)?;
    wrap(&html::extract(&page.html).text, "", out)
}

fn removals(corpus: &WorldCorpus, config: &PipelineConfig, out: &mut dyn Write) -> Result<()> {
    section("one page that each filter drops", out)?;
    for stage in [Stage::Language, Stage::Quality, Stage::ExactDedup, Stage::NearDedup, Stage::Decontamination] {
        let mut removals = corpus.cleaned.removed.iter().filter(|r| r.stage == stage);
        let removal =
            if stage == Stage::NearDedup { removals.find(|r| is_small_edit(r, corpus)) } else { removals.next() };
        let removal = removal.context("every stage of the small world drops a page")?;
        let text = &corpus.truth.pages[&removal.id].text;
        writeln!(out, "{}: {}", stage.name(), removal.reason)?;
        match stage {
            Stage::ExactDedup | Stage::NearDedup => compare(removal, corpus, config, out)?,
            Stage::Decontamination => {
                let question = text.lines().find(|line| line.contains('?')).unwrap_or(text);
                wrap(question, "    ", out)?;
            }
            _ => wrap(&cut(&text.replace('\n', " "), 2 * WIDTH - 20), "    ", out)?,
        }
    }
    Ok(())
}

/// Does one page have a word that the other lacks, and the other way round, and little more?
fn is_small_edit(removal: &Removal, corpus: &WorldCorpus) -> bool {
    let Some(twin) = &removal.twin else { return false };
    let (dropped, kept) = (&corpus.truth.pages[&removal.id].text, &corpus.truth.pages[twin].text);
    [extra_words(dropped, kept), extra_words(kept, dropped)].iter().all(|extra| (1..=2).contains(&extra.len()))
}

/// The words of `a` that `b` lacks.
fn extra_words(a: &str, b: &str) -> Vec<String> {
    let b = words(b);
    words(a).into_iter().filter(|word| !b.contains(word)).collect()
}

/// What a dropped page has in common with the page that stayed.
fn compare(removal: &Removal, corpus: &WorldCorpus, config: &PipelineConfig, out: &mut dyn Write) -> Result<()> {
    let twin = removal.twin.as_ref().context("a duplicate has a twin")?;
    writeln!(out, "    {} repeats {}", removal.id, twin)?;
    if removal.stage == Stage::ExactDedup {
        return Ok(());
    }
    let (dropped, kept) = (&corpus.truth.pages[&removal.id].text, &corpus.truth.pages[twin].text);
    writeln!(out, "    only in the dropped page: {}", extra_words(dropped, kept).join(" "))?;
    writeln!(out, "    only in the kept page:    {}", extra_words(kept, dropped).join(" "))?;
    let shingles = [dropped, kept].map(|text| minhash::shingles(text, &config.minhash));
    let permutations = Permutations::new(&config.minhash);
    let [a, b] = shingles.each_ref().map(|set| permutations.signature(set));
    let jaccard = minhash::jaccard(&shingles[0], &shingles[1]);
    writeln!(out, "    similarity {jaccard:.2}, estimated {:.2}", minhash::similarity(&a, &b))?;
    Ok(())
}

fn masking(corpus: &WorldCorpus, config: &PipelineConfig, out: &mut dyn Write) -> Result<()> {
    section("personal data", out)?;
    let pages = corpus.truth.pages.values().filter(|page| page.low_quality.is_none() && !page.foreign);
    let sentences = pages.flat_map(|page| page.personal.iter().filter_map(|datum| sentence_with(&page.text, datum)));
    let mut sentences: Vec<&str> = sentences.collect();
    sentences.dedup();
    let disguised = sentences.iter().find(|sentence| sentence.contains(" dot "));
    for sentence in sentences.iter().filter(|s| !s.contains(" dot ")).take(3).chain(disguised) {
        writeln!(out, "{}", cut(sentence, WIDTH))?;
        writeln!(out, "    {}", cut(&pii::mask(sentence, &config.pii).text, WIDTH - 4))?;
    }
    Ok(())
}

fn sentence_with<'a>(text: &'a str, datum: &str) -> Option<&'a str> {
    text.lines().flat_map(|line| line.split_inclusive(". ")).find(|s| s.contains(datum)).map(str::trim)
}

fn s_curve(out: &mut dyn Write) -> Result<()> {
    section("the S-curve", out)?;
    writeln!(out, "similarity   20 bands of 6   14 bands of 8")?;
    for tenths in 1..=10 {
        let jaccard = f64::from(tenths) / 10.0;
        let [ours, theirs] = [(20, 6), (14, 8)].map(|(bands, rows)| candidate_probability(jaccard, bands, rows));
        writeln!(out, "{jaccard:>10.1} {ours:>15.3} {theirs:>15.3}")?;
    }
    Ok(())
}

fn section(title: &str, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "== {title} ==")
}

/// The first `width` characters; an ellipsis says that there was more.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_string();
    }
    text.chars().take(width - 3).chain("...".chars()).collect()
}

/// The text in lines of at most [`WIDTH`] characters, broken at spaces.
fn wrap(text: &str, indent: &str, out: &mut dyn Write) -> Result<()> {
    for paragraph in text.lines() {
        let mut line = indent.to_string();
        for word in paragraph.split_whitespace() {
            if line.len() > indent.len() && line.chars().count() + 1 + word.chars().count() > WIDTH {
                writeln!(out, "{line}")?;
                line = indent.to_string();
            }
            if line.len() > indent.len() {
                line.push(' ');
            }
            line.push_str(word);
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
