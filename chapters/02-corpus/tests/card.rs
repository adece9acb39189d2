//! The data card of a small world: all that was counted, nothing personal, and the same bytes every time.
#![allow(clippy::unwrap_used)]

use corpus::contamination::ContaminationReport;
use corpus::mixture::{Mixed, MixtureConfig, SourceConfig, plan};
use corpus::pii::{PiiConfig, mask};
use corpus::{Card, CardSource, PipelineConfig, World, WorldConfig, build_world};

fn card() -> Card {
    let world = World::generate(&WorldConfig { seed: 3, n_pages: 200, ..WorldConfig::default() }).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = PipelineConfig::default();
    let corpus = build_world(&world, &config, &folder.path().join("crawl.warc"), &|_, _, _| {}).unwrap();
    let sources = vec![SourceConfig { name: "world".into(), ..Default::default() }];
    let mixture = MixtureConfig { total_bytes: 1000, sources, ..Default::default() };
    let mut contamination = ContaminationReport::default();
    contamination.add("page-1", &[0]);
    Card {
        name: "small world".into(),
        description: "Invented towns.".into(),
        date: "2026-01-31".into(),
        versions: [("llm".to_string(), "0.1.0".to_string())].into(),
        sources: vec![CardSource {
            name: "crawl | of *towns*".into(),
            origin: "crawl.warc".into(),
            n_documents: 200,
            ..Default::default()
        }],
        n_training: corpus.cleaned.documents.len(),
        training_bytes: corpus.cleaned.documents.iter().map(|d| d.text.len() as u64).sum(),
        funnel: corpus.cleaned.funnel,
        rules: corpus.cleaned.rules,
        contamination: Some(contamination),
        exam: world.test_items(),
        mixture: Some(Mixed::planned(plan(&mixture, &[500]).unwrap(), mixture)),
        settings: Some(config),
        ..Card::default()
    }
}

#[test]
fn page_and_record_say_all_that_was_counted() {
    let card = card();
    let folder = tempfile::tempdir().unwrap();
    card.write(folder.path()).unwrap();
    let page = std::fs::read_to_string(folder.path().join("card.md")).unwrap();
    for part in [
        "# small world",
        "## Sources",
        "## The funnel",
        "## What each rule rejected",
        "## Exam questions found",
        "## Mixture",
        "## Settings",
        "min_stop_words",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(page.contains(r"crawl \| of \*towns\*"), "a name cannot break its table");
    for row in &card.rules.rows {
        let cells = format!("| {} | {} |", row.stage.name(), row.rule.replace('_', r"\_"));
        assert!(page.contains(&cells), "{cells} in\n{page}");
        assert!(page.contains(&format!("- **{}**", row.rule.replace('_', r"\_"))), "a sample of {}", row.rule);
    }
    let record: Card =
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("card.json")).unwrap()).unwrap();
    assert_eq!(record, Card { exam: Vec::new(), ..card.clone() });
    card.write(folder.path()).unwrap();
    assert_eq!(std::fs::read_to_string(folder.path().join("card.md")).unwrap(), page);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing temporary is left");
}

#[test]
fn a_card_holds_no_personal_data_whatever_the_settings() {
    let mut card = card();
    card.rules.rows[0].samples[0].text = "Write to mara@example.org or call (555) 555-0142.".into();
    let page = card.to_string();
    assert!(page.contains(r"Write to \<EMAIL\> or call \<PHONE\>."), "{page}");
    for row in &card.rules.rows[1..] {
        for sample in &row.samples {
            assert_eq!(mask(&sample.text, &PiiConfig::default()).text, sample.text);
        }
    }
}
