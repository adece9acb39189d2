//! The filters as a stream asks them: the same verdicts page by page, and tallies that add up however the stream is cut.
#![allow(clippy::unwrap_used)]

use corpus::lines::LinesConfig;
use corpus::quality::QualityConfig;
use corpus::{Document, FilterTally, Filters, PipelineConfig, Stage, World, WorldConfig, clean};

fn pages() -> Vec<Document> {
    let world = World::generate(&WorldConfig { seed: 7, n_pages: 300, ..WorldConfig::default() }).unwrap();
    let crawl = world.crawl();
    crawl.iter().map(|page| Document::new(page.id.clone(), "", corpus::html::extract(&page.html).text)).collect()
}

fn tally(filters: &Filters, pages: &[Document]) -> FilterTally {
    let mut tally = FilterTally::new(filters);
    for page in pages {
        let mut page = page.clone();
        let n_bytes = page.text.len();
        let verdict = filters.judge(&mut page);
        tally.add(n_bytes, &page, &verdict);
    }
    tally
}

#[test]
fn a_stream_gives_the_pipelines_funnel() {
    let config = PipelineConfig::default();
    let cleaned = clean(pages(), &config, &[], &|_, _, _| {}).unwrap();
    let tally = tally(&Filters::new(&config).unwrap(), &pages());
    assert_eq!(tally.stages, cleaned.funnel.stages[..tally.stages.len()]);
    assert_eq!(tally.rules, cleaned.rules);
}

#[test]
fn the_tally_of_parts_is_the_tally_of_the_whole() {
    let config = PipelineConfig { lines: LinesConfig::c4(), quality: QualityConfig::web(), ..Default::default() };
    let filters = Filters::new(&config).unwrap();
    let pages = pages();
    let whole = tally(&filters, &pages);
    for n_parts in [2, 3, 50] {
        let mut parts: Vec<_> = pages.chunks(pages.len().div_ceil(n_parts)).map(|part| tally(&filters, part)).collect();
        parts.reverse();
        let mut sum = FilterTally::new(&filters);
        parts.iter().for_each(|part| sum.merge(part));
        assert_eq!(sum, whole);
    }
    for pair in whole.stages.windows(2) {
        assert_eq!((pair[0].documents_out, pair[0].bytes_out), (pair[1].documents_in, pair[1].bytes_in));
    }
    let lines = whole.stages.iter().find(|report| report.stage == Stage::Lines).unwrap();
    assert!(lines.bytes_out < lines.bytes_in && lines.documents_out == lines.documents_in);
}

#[test]
fn samples_are_short_masked_and_few() {
    let filters = Filters::new(&PipelineConfig::default()).unwrap();
    let pages: Vec<_> = (0..40)
        .map(|i| Document::new(format!("p{i}"), "", format!("Write to mara{i}@example.org, {}", "x".repeat(i * 20))))
        .collect();
    let table = tally(&filters, &pages).rules;
    assert_eq!(table.n_judged, 40);
    assert_eq!(table.rows.iter().map(|row| row.n_rejected).sum::<usize>(), 40);
    for row in &table.rows {
        assert!(row.samples.len() == corpus::rule_table::N_SAMPLES.min(row.n_rejected));
        for sample in &row.samples {
            assert!(sample.text.contains("<EMAIL>") && !sample.text.contains('@'), "{}", sample.text);
            assert!(sample.text.chars().count() <= corpus::rule_table::SAMPLE_CHARS + 1);
        }
    }
    assert!(table.to_string().contains("too_few_words"), "{table}");
}

#[test]
fn the_address_is_judged_before_the_metadata_and_these_before_the_text() {
    let mut config = PipelineConfig::default();
    config.url_block_list.domains.push("bad.example".into());
    config.metadata.respect_noindex = true;
    let filters = Filters::new(&config).unwrap();
    assert_eq!(filters.stages()[..3], [Stage::UrlBlockList, Stage::Metadata, Stage::Language]);
    let judged = |url: &str, robots: &str| {
        let mut page = Document::new("a", url, "Zu kurz.");
        page.metadata.insert("robots".into(), robots.into());
        filters.judge(&mut page).unwrap_err()
    };
    let rule = |url, robots| (judged(url, robots).stage, judged(url, robots).reason);
    assert_eq!(rule("https://www.bad.example/", "noindex"), (Stage::UrlBlockList, "blocked_domain".into()));
    assert_eq!(rule("https://good.example/", "noindex"), (Stage::Metadata, "noindex".into()));
    assert_eq!(rule("https://good.example/", "index"), (Stage::Quality, "too_few_words".into()));
}
