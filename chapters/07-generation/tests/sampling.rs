//! The sampler against transformers, and its draws against the probabilities that it ought to draw from.
#![allow(clippy::unwrap_used)]

use generation::{Cuts, History, LogProbs, Penalties, Sampler, Sampling, candidates};
use proptest::prelude::*;
use serde_json::Value;

/// Made by `tests/reference/sampling.py`.
const REFERENCE: &str = include_str!("../../../tests/reference/sampling.json");

fn floats(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|x| x.as_u64().unwrap() as u32).collect()
}

fn penalties(setting: &Value) -> Penalties {
    let number = |name: &str, default: f64| setting.get(name).map_or(default, |x| x.as_f64().unwrap());
    Penalties {
        repetition: number("repetition_penalty", 1.0),
        presence: number("presence_penalty", 0.0),
        frequency: number("frequency_penalty", 0.0),
    }
}

fn cuts(setting: &Value) -> Cuts {
    let number = |name: &str, default: f64| setting.get(name).map_or(default, |x| x.as_f64().unwrap());
    let top_k = setting.get("top_k").map(|k| k.as_u64().unwrap() as usize);
    Cuts { top_k, top_p: number("top_p", 1.0), min_p: number("min_p", 0.0) }
}

#[test]
fn probabilities_are_those_of_transformers() {
    let reference: Value = serde_json::from_str(REFERENCE).unwrap();
    let mut history = History::default();
    history.add_prompt(&ids(&reference["prompt"]));
    ids(&reference["generated"]).into_iter().for_each(|token| history.add_generated(token));
    let cases = reference["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 18);
    for case in cases {
        let setting = &case["setting"];
        let mut logits: Vec<f32> = floats(&case["logits"]).iter().map(|z| *z as f32).collect();
        penalties(setting).apply(&mut logits, &history);
        let temperature = setting.get("temperature").map_or(1.0, |t| t.as_f64().unwrap());
        let mut found = vec![0.0; logits.len()];
        for (token, probability) in candidates(&logits, temperature, cuts(setting)) {
            found[token as usize] = probability;
        }
        for (token, (found, expected)) in found.iter().zip(floats(&case["probabilities"])).enumerate() {
            assert!((found - expected).abs() < 1e-6, "{setting}, token {token}: {found} against {expected}");
            assert_eq!(*found == 0.0, expected == 0.0, "{setting}, token {token}");
        }
    }
}

#[test]
fn log_probs_are_those_of_the_model_whatever_the_sampler_does() {
    let reference: Value = serde_json::from_str(REFERENCE).unwrap();
    for case in reference["cases"].as_array().unwrap() {
        let logits: Vec<f32> = floats(&case["logits"]).iter().map(|z| *z as f32).collect();
        let expected = floats(&case["log_probs"]);
        for (token, expected) in expected.iter().enumerate() {
            assert!((LogProbs::new(&logits, token as u32, 0).of_token - expected).abs() < 1e-6);
        }
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|a, b| expected[*b].total_cmp(&expected[*a]));
        let top: Vec<usize> = LogProbs::new(&logits, 0, 5).top.iter().map(|(token, _)| *token as usize).collect();
        assert_eq!(top, order[..5]);
    }
}

/// Logits of eight tokens: two that are likely, a tail, one that cannot come.
const LOGITS: [f32; 8] = [2.0, 1.5, 1.0, 0.0, -0.5, -1.0, -3.0, f32::NEG_INFINITY];

/// What the definitions give, in the most direct way: one pass over the vocabulary for each, nothing sorted but for top-p.
fn expected_probabilities(temperature: f64, cuts: Cuts, penalties: Penalties, counts: &[(u32, usize)]) -> Vec<f64> {
    let mut z: Vec<f64> = LOGITS.iter().map(|z| f64::from(*z)).collect();
    for &(token, n) in counts {
        let z = &mut z[token as usize];
        *z = if *z > 0.0 { *z / penalties.repetition } else { *z * penalties.repetition };
        *z -= penalties.frequency * n as f64;
        *z -= if n == 0 { 0.0 } else { penalties.presence };
    }
    let mut p: Vec<f64> = z.iter().map(|z| (z / temperature).exp()).collect();
    normalise(&mut p);
    if let Some(top_k) = cuts.top_k {
        let rank = |i: usize, p: &[f64]| p.iter().filter(|other| **other > p[i]).count();
        p = (0..p.len()).map(|i| if rank(i, &p) < top_k { p[i] } else { 0.0 }).collect();
        normalise(&mut p);
    }
    if cuts.top_p < 1.0 {
        // A token stays as long as those above it do not reach p.
        let above = |i: usize, p: &[f64]| p.iter().filter(|other| **other > p[i]).sum::<f64>();
        p = (0..p.len()).map(|i| if above(i, &p) < cuts.top_p { p[i] } else { 0.0 }).collect();
        normalise(&mut p);
    }
    let largest = p.iter().copied().fold(0.0, f64::max);
    p.iter_mut().for_each(|p| *p = if *p >= cuts.min_p * largest { *p } else { 0.0 });
    normalise(&mut p);
    p
}

fn normalise(p: &mut [f64]) {
    let total: f64 = p.iter().sum();
    p.iter_mut().for_each(|p| *p /= total);
}

/// Percentile 99.99 of χ² by degrees of freedom, from 0 (scipy.stats.chi2.ppf(0.9999, n)). The seeds are fixed, so a run that passes once always does.
const CHI_SQUARE_LIMITS: [f64; 7] = [1e-9, 15.14, 18.42, 21.11, 23.51, 25.74, 27.86];

/// Draws 40,000 tokens as the first of a text that has `counts`, and compares how often each came with what ought to come.
fn check_draws(temperature: f64, cuts: Cuts, penalties: Penalties) {
    const N_DRAWS: usize = 40_000;
    // The prompt has 0, 4 and 6; the answer 0 twice and 3 once.
    let (prompt, counts) = ([0, 4, 6], [(0, 2), (3, 1), (4, 0), (6, 0)]);
    let expected = expected_probabilities(temperature, cuts, penalties, &counts);
    let fresh = |seed: u64| {
        let sampling = Sampling::Random { temperature, cuts };
        let mut sampler = Sampler::new(sampling, seed).unwrap().with_penalties(penalties).unwrap();
        sampler.read_prompt(&prompt);
        sampler
    };
    let mut seen = [0usize; LOGITS.len()];
    // The answer so far is forced on the sampler: one token alone is possible at each of its places.
    let forced = |token: u32| {
        let mut logits = [f32::NEG_INFINITY; LOGITS.len()];
        logits[token as usize] = 0.0;
        logits
    };
    for seed in 0..N_DRAWS as u64 {
        let mut sampler = fresh(seed);
        [0, 3, 0].into_iter().for_each(|token| assert_eq!(sampler.sample(&forced(token)).unwrap(), token));
        seen[sampler.sample(&LOGITS).unwrap() as usize] += 1;
    }
    let mut chi_square = 0.0;
    for (token, (&n, &p)) in seen.iter().zip(&expected).enumerate() {
        let n_expected = p * N_DRAWS as f64;
        assert!(p > 0.0 || n == 0, "token {token} cannot come and came {n} times");
        assert!(p == 0.0 || n_expected > 5.0, "χ² needs more draws: {n_expected} of token {token}");
        chi_square += if p > 0.0 { (n as f64 - n_expected).powi(2) / n_expected } else { 0.0 };
    }
    let freedom = expected.iter().filter(|p| **p > 0.0).count() - 1;
    assert!(
        chi_square <= CHI_SQUARE_LIMITS[freedom],
        "χ² {chi_square} with {freedom} degrees of freedom: {seen:?} where {expected:?} belongs"
    );
}

#[test]
fn draws_follow_the_temperature() {
    for temperature in [0.7, 1.0, 2.0] {
        check_draws(temperature, Cuts::NONE, Penalties::NONE);
    }
}

#[test]
fn draws_follow_each_cut() {
    check_draws(1.0, Cuts { top_k: Some(3), ..Cuts::NONE }, Penalties::NONE);
    check_draws(1.0, Cuts { top_k: Some(1), ..Cuts::NONE }, Penalties::NONE);
    check_draws(1.0, Cuts { top_p: 0.8, ..Cuts::NONE }, Penalties::NONE);
    check_draws(1.0, Cuts { min_p: 0.1, ..Cuts::NONE }, Penalties::NONE);
}

#[test]
fn draws_follow_each_penalty() {
    check_draws(1.0, Cuts::NONE, Penalties { repetition: 1.4, ..Penalties::NONE });
    check_draws(1.0, Cuts::NONE, Penalties { presence: 0.7, ..Penalties::NONE });
    check_draws(1.0, Cuts::NONE, Penalties { frequency: 0.4, ..Penalties::NONE });
}

#[test]
fn draws_follow_everything_at_once() {
    let cuts = Cuts { top_k: Some(5), top_p: 0.9, min_p: 0.2 };
    check_draws(1.6, cuts, Penalties { repetition: 1.2, presence: -0.3, frequency: 0.25 });
    check_draws(1.6, Cuts { top_k: Some(4), ..cuts }, Penalties { repetition: 0.8, presence: 0.5, frequency: 0.0 });
}

#[test]
fn one_sampler_s_draws_are_independent_of_each_other() {
    // Pairs of successive draws: 16 cells, 15 degrees of freedom; percentile 99.99 is 44.26.
    const N_PAIRS: usize = 40_000;
    let probabilities = [0.5f64, 0.25, 0.125, 0.125];
    let logits = probabilities.map(|p| p.ln() as f32);
    let mut sampler = Sampler::new(Sampling::at_temperature(1.0), 3).unwrap();
    let mut seen = [[0usize; 4]; 4];
    for _ in 0..N_PAIRS {
        let (first, second) = (sampler.sample(&logits).unwrap(), sampler.sample(&logits).unwrap());
        seen[first as usize][second as usize] += 1;
    }
    let mut chi_square = 0.0;
    for (i, row) in seen.iter().enumerate() {
        for (j, n) in row.iter().enumerate() {
            let expected = probabilities[i] * probabilities[j] * N_PAIRS as f64;
            chi_square += (*n as f64 - expected).powi(2) / expected;
        }
    }
    assert!(chi_square < 44.26, "{chi_square}: {seen:?}");
}

/// Top-p by the definition: everything sorted, one sum.
fn nucleus(logits: &[f32], top_p: f64) -> Vec<u32> {
    let weight = |token: &u32| f64::from(logits[*token as usize]).exp();
    let mut order: Vec<u32> = (0..logits.len() as u32).collect();
    order.sort_by(|a, b| weight(b).total_cmp(&weight(a)));
    let total: f64 = order.iter().map(weight).sum();
    let mut reached = 0.0;
    let last = order.iter().position(|token| {
        reached += weight(token) / total;
        reached >= top_p
    });
    order.truncate(last.map_or(order.len(), |last| last + 1));
    order
}

proptest! {
    #[test]
    fn the_nucleus_of_large_vocabularies_is_that_of_a_whole_sort(
        // Few different values, so that many tokens are equally likely; flat and steep distributions.
        steps in prop::collection::vec(0u8..40, 1..700),
        slope in 0.0f32..0.5,
        top_p in 0.0011f64..0.9991,
    ) {
        let logits: Vec<f32> = steps.iter().map(|step| f32::from(*step) * slope).collect();
        let found = candidates(&logits, 1.0, Cuts { top_p, ..Cuts::NONE });
        let ids: Vec<u32> = found.iter().map(|(token, _)| *token).collect();
        let expected = nucleus(&logits, top_p);
        // A sum that reaches p but for rounding may end one token earlier or later.
        prop_assert!(ids.len().abs_diff(expected.len()) <= 1, "{} of {}", ids.len(), expected.len());
        let n = ids.len().min(expected.len());
        prop_assert_eq!(&ids[..n], &expected[..n]);
    }
}
