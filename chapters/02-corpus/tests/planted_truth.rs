//! The pipeline against the truth of invented crawls.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, HashSet};

use corpus::pipeline::Cleaned;
use corpus::score::score_stages;
use corpus::{PipelineConfig, Stage, World, WorldConfig, WorldCorpus, build_world};

/// The stages that the default settings switch on.
const STAGES: [Stage; 7] = [
    Stage::Extraction,
    Stage::Language,
    Stage::Quality,
    Stage::Pii,
    Stage::ExactDedup,
    Stage::NearDedup,
    Stage::Decontamination,
];

fn built(seed: u64, n_pages: usize) -> WorldCorpus {
    let world = World::generate(&WorldConfig { seed, n_pages, ..WorldConfig::default() }).unwrap();
    let folder = tempfile::tempdir().unwrap();
    build_world(&world, &PipelineConfig::default(), &folder.path().join("crawl.warc"), &|_, _, _| {}).unwrap()
}

#[test]
fn every_stage_reaches_95_percent() {
    for seed in 0..3 {
        let corpus = built(seed, 3000);
        println!("seed {seed}\n{}", corpus.scores);
        assert_eq!(corpus.scores.0.len(), STAGES.len());
        for (stage, score) in &corpus.scores.0 {
            assert!(score.precision >= 0.95, "seed {seed}, {}: {score:?}", stage.name());
            assert!(score.recall >= 0.95, "seed {seed}, {}: {score:?}", stage.name());
            assert!(score.true_positives > 0, "seed {seed}, {} had nothing to do", stage.name());
        }
    }
}

#[test]
fn the_funnel_conserves_documents() {
    let corpus = built(3, 800);
    let Cleaned { documents, funnel, removed, .. } = &corpus.cleaned;
    assert_eq!(funnel.stages.iter().map(|s| s.stage).collect::<Vec<_>>(), STAGES);
    assert_eq!(funnel.stages[0].documents_in, corpus.truth.pages.len());
    for pair in funnel.stages.windows(2) {
        assert_eq!(pair[0].documents_out, pair[1].documents_in);
        assert_eq!(pair[0].bytes_out, pair[1].bytes_in);
    }
    for stage in &funnel.stages {
        assert_eq!(stage.reasons.values().sum::<usize>(), stage.documents_in - stage.documents_out);
    }
    assert_eq!(funnel.stages.last().unwrap().documents_out, documents.len());
    let ids: HashSet<_> = documents.iter().map(|d| &d.id).chain(removed.iter().map(|r| &r.id)).collect();
    assert_eq!(ids.len(), documents.len() + removed.len());
    assert_eq!(ids.len(), funnel.stages[1].documents_in);
}

#[test]
fn the_same_corpus_on_any_number_of_threads() {
    let on = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap().install(|| built(4, 500));
    assert!(on(1) == on(3));
}

#[test]
fn every_fact_survives_the_pipeline() {
    let world = World::generate(&WorldConfig { n_pages: 3000, ..WorldConfig::default() }).unwrap();
    let corpus = built(0, 3000);
    for town in world.towns() {
        for attribute in corpus::Attribute::ALL {
            let said = |p| {
                let sentence = town.sentence(attribute, p);
                corpus.cleaned.documents.iter().any(|d| d.text.contains(&sentence))
            };
            let n_wordings = (0..corpus::world::N_PARAPHRASES).filter(|&p| said(p)).count();
            assert!(n_wordings >= 5, "{} {} in {n_wordings} wordings", town.name, attribute.name());
        }
    }
}

/// A scorer that always says 1 would pass the first test. Here one decision a stage is turned, and the score must see it.
#[test]
fn the_scores_notice_a_turned_decision() {
    let corpus = built(5, 500);
    let before = score_stages(&corpus.truth, &corpus.cleaned).0;
    for stage in [Stage::Language, Stage::Quality, Stage::ExactDedup, Stage::NearDedup, Stage::Decontamination] {
        let mut cleaned = corpus.cleaned.clone();
        let at = cleaned.removed.iter().position(|r| r.stage == stage && must_go(&corpus, &r.id, stage)).unwrap();
        let released = cleaned.removed.remove(at);
        cleaned.documents.push(corpus::Document::new(released.id, "", ""));
        let after = score_stages(&corpus.truth, &cleaned).0;
        assert_eq!(after[&stage].false_negatives, before[&stage].false_negatives + 1, "{}", stage.name());
        assert!(after[&stage].recall < before[&stage].recall);

        let mut cleaned = corpus.cleaned.clone();
        let clean = cleaned.documents.iter().position(|d| is_plain(&corpus, &d.id)).unwrap();
        let victim = cleaned.documents.remove(clean);
        let reason = "a mistake".to_string();
        cleaned.removed.push(corpus::pipeline::Removal { id: victim.id, stage, reason, twin: None });
        let after = score_stages(&corpus.truth, &cleaned).0;
        assert!(after[&stage].precision < before[&stage].precision, "{}", stage.name());
    }
    let mut cleaned = corpus.cleaned.clone();
    cleaned.masked.pop();
    assert!(score_stages(&corpus.truth, &cleaned).0[&Stage::Pii].recall < before[&Stage::Pii].recall);
}

fn must_go(corpus: &WorldCorpus, id: &str, stage: Stage) -> bool {
    let page = &corpus.truth.pages[id];
    match stage {
        Stage::Language => page.foreign,
        Stage::Quality => page.low_quality.is_some(),
        Stage::Decontamination => page.leak,
        _ => true,
    }
}

/// A kept page that is nobody's copy and has no label.
fn is_plain(corpus: &WorldCorpus, id: &str) -> bool {
    let mut sizes: BTreeMap<u64, usize> = BTreeMap::new();
    for page in corpus.truth.pages.values() {
        *sizes.entry(page.near_group).or_default() += 1;
    }
    let page = &corpus.truth.pages[id];
    sizes[&page.near_group] == 1 && !page.foreign && page.low_quality.is_none() && !page.leak
}
