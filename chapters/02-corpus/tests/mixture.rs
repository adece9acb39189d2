//! Mixtures: the plan adds up and keeps its limits, and the order of documents keeps the plan.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use corpus::mixture::{Draw, MixtureConfig, MixtureError, MixtureStage, Order, Plan, Position, SourceConfig, plan};
use proptest::prelude::*;

fn source(name: &str, weight: f64, max_epochs: f64) -> SourceConfig {
    SourceConfig { name: name.into(), weight, max_epochs, ..Default::default() }
}

fn stage(share: f64, weights: &[(&str, f64)]) -> MixtureStage {
    MixtureStage { share, weights: weights.iter().map(|(name, weight)| (name.to_string(), *weight)).collect() }
}

fn planned(plan: &Plan) -> Vec<Vec<u64>> {
    plan.stages.iter().map(|stage| stage.iter().map(|portion| portion.n_bytes).collect()).collect()
}

#[test]
fn temperature_moves_shares_from_size_to_equality() {
    let sources = vec![source("large", 1.0, 100.0), source("small", 1.0, 100.0)];
    let shares = |temperature| {
        let config =
            MixtureConfig { total_bytes: 1_000_000, temperature, sources: sources.clone(), ..Default::default() };
        planned(&plan(&config, &[810_000, 10_000]).unwrap())[0][1]
    };
    assert_eq!(shares(Some(1.0)), 12_195, "10 of 820");
    assert_eq!(shares(Some(2.0)), 100_000, "the roots are 900 and 100");
    assert_eq!(shares(None), 500_000, "the weights alone");
    assert!((480_000..500_000).contains(&shares(Some(1e2))));
}

#[test]
fn a_source_at_its_limit_leaves_its_bytes_to_the_others_by_their_shares() {
    let sources = vec![source("books", 6.0, 2.0), source("web", 3.0, 4.0), source("code", 1.0, 4.0)];
    let config = MixtureConfig { total_bytes: 1000, sources, ..Default::default() };
    let plan = plan(&config, &[100, 1000, 1000]).unwrap();
    assert_eq!(planned(&plan), [[200, 600, 200]], "books twice, and the rest 3 to 1");
    assert_eq!(plan.epochs_of(0), 2.0);
    assert!(plan.to_string().contains("books"), "{plan}");
}

#[test]
fn stages_have_weights_of_their_own_and_share_the_limits() {
    let config = MixtureConfig {
        total_bytes: 1000,
        sources: vec![source("web", 1.0, 4.0), source("books", 1.0, 1.0)],
        stages: vec![stage(4.0, &[("web", 9.0), ("books", 1.0)]), stage(1.0, &[("books", 1.0)])],
        ..Default::default()
    };
    assert_eq!(planned(&plan(&config, &[500, 400]).unwrap()), [[720, 80], [0, 200]]);
    let error = plan(&config, &[500, 250]).unwrap_err();
    assert_eq!(error, MixtureError::TooLittle { stage: 1, wanted: 200, left: 170 });
}

#[test]
fn impossible_settings_are_named() {
    let good = MixtureConfig { total_bytes: 10, sources: vec![source("a", 1.0, 4.0)], ..Default::default() };
    let said = |config: MixtureConfig| plan(&config, &[100]).unwrap_err().to_string();
    assert!(said(MixtureConfig { temperature: Some(0.0), ..good.clone() }).starts_with("mixture.temperature is 0"));
    assert!(said(MixtureConfig { stages: vec![stage(1.0, &[("b", 1.0)])], ..good.clone() }).contains("weights is b"));
    let twice = vec![source("a", 1.0, 4.0), source("a", 1.0, 4.0)];
    assert!(said(MixtureConfig { sources: twice, ..good.clone() }).contains("\"a\""));
    assert!(
        said(MixtureConfig { sources: vec![source("a", f64::NAN, 4.0)], ..good.clone() }).contains("weight is NaN")
    );
    assert!(plan(&good, &[]).unwrap_err().to_string().contains("0 sizes were given for 1 sources"));
}

#[derive(Debug)]
struct Case {
    config: MixtureConfig,
    documents: Vec<Vec<u64>>,
}

impl Case {
    fn sizes(&self) -> Vec<u64> {
        self.documents.iter().map(|sizes| sizes.iter().sum()).collect()
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let documents = prop::collection::vec(prop::collection::vec(0..200u64, 0..30), 1..5);
    let rest = (
        prop::collection::vec((0.0..5.0, 0.3..4.0), 5),
        prop::option::of(0.5..5.0),
        0..4000u64,
        0..3usize,
        any::<u64>(),
    );
    (documents, rest).prop_map(|(documents, (numbers, temperature, total_bytes, n_stages, seed))| {
        let name = |i: usize| format!("s{i}");
        let sources: Vec<_> = (0..documents.len()).map(|i| source(&name(i), numbers[i].0, numbers[i].1)).collect();
        let weights = |k: usize| -> BTreeMap<String, f64> {
            (0..documents.len()).map(|i| (name(i), numbers[(i + k) % 5].0)).collect()
        };
        let stages = (0..n_stages).map(|k| MixtureStage { share: 1.0 + k as f64, weights: weights(k) }).collect();
        Case {
            config: MixtureConfig { total_bytes, temperature, seed, sources, stages, ..Default::default() },
            documents,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_plan_adds_up_and_keeps_its_limits(case in cases()) {
        match plan(&case.config, &case.sizes()) {
            Err(MixtureError::TooLittle { wanted, left, .. }) => prop_assert!(left < wanted),
            Err(other) => prop_assert!(false, "{other}"),
            Ok(plan) => {
                prop_assert_eq!(planned(&plan).into_iter().flatten().sum::<u64>(), case.config.total_bytes);
                for i in 0..plan.sources.len() {
                    prop_assert!(plan.bytes_of(i) as f64 <= case.config.sources[i].max_epochs * case.sizes()[i] as f64);
                }
            }
        }
    }

    #[test]
    fn the_order_keeps_the_plan(case in cases()) {
        let Ok(plan) = plan(&case.config, &case.sizes()) else { return Ok(()) };
        let largest = |i: usize| case.documents[i].iter().copied().max().unwrap_or(0);
        let mut drawn = vec![0u64; plan.sources.len()];
        let mut seen: BTreeMap<(usize, u64), Vec<usize>> = BTreeMap::new();
        let mut stage = 0;
        for draw in Order::new(&plan, &case.documents, Position::default()) {
            prop_assert!(draw.stage >= stage, "stages come in order");
            stage = draw.stage;
            drawn[draw.source] += case.documents[draw.source][draw.document];
            let so_far: u64 = plan.stages[..=stage].iter().map(|s| s[draw.source].n_bytes).sum();
            prop_assert!(drawn[draw.source] <= so_far, "never more than planned up to this stage");
            seen.entry((draw.source, draw.epoch)).or_default().push(draw.document);
        }
        for (i, n_bytes) in drawn.iter().enumerate() {
            let last = plan.stages.iter().rposition(|s| s[i].n_bytes > 0);
            if last.is_some() {
                prop_assert!(plan.bytes_of(i) - n_bytes <= largest(i), "less than one document is missing");
            }
        }
        for ((source, epoch), mut documents) in seen {
            let n = documents.len();
            documents.sort_unstable();
            documents.dedup();
            prop_assert_eq!(documents.len(), n, "no document twice in an epoch of source {}", source);
            prop_assert!((epoch as f64) < case.config.sources[source].max_epochs.ceil());
        }
    }

    #[test]
    fn an_order_goes_on_where_it_stood(case in cases(), share in 0.0..1.0f64) {
        let Ok(plan) = plan(&case.config, &case.sizes()) else { return Ok(()) };
        let whole: Vec<Draw> = Order::new(&plan, &case.documents, Position::default()).collect();
        let mut first = Order::new(&plan, &case.documents, Position::default());
        let n = (share * whole.len() as f64) as usize;
        let mut both: Vec<Draw> = first.by_ref().take(n).collect();
        let saved = serde_json::to_string(first.position()).unwrap();
        both.extend(Order::new(&plan, &case.documents, serde_json::from_str(&saved).unwrap()));
        prop_assert_eq!(both, whole);
    }
}

#[test]
fn every_prefix_has_the_planned_shares_and_epochs_differ() {
    let config = MixtureConfig {
        total_bytes: 40_000,
        sources: vec![source("a", 3.0, 4.0), source("b", 1.0, 4.0)],
        ..Default::default()
    };
    let documents = vec![vec![100; 100], vec![100; 100]];
    let plan = plan(&config, &[10_000, 10_000]).unwrap();
    let order: Vec<Draw> = Order::new(&plan, &documents, Position::default()).collect();
    assert_eq!(order.len(), 400);
    for n in 0..order.len() {
        let n_a = order[..n].iter().filter(|draw| draw.source == 0).count() as f64;
        assert!((n_a - 0.75 * n as f64).abs() <= 1.0, "{n_a} of {n}");
    }
    let epoch = |k: u64| -> Vec<usize> {
        order.iter().filter(|draw| draw.source == 0 && draw.epoch == k).map(|draw| draw.document).collect()
    };
    assert_eq!(epoch(0).len(), 100);
    assert_ne!(epoch(0), epoch(1), "each epoch is shuffled anew");
    assert_ne!(epoch(0), (0..100).collect::<Vec<_>>());
}
