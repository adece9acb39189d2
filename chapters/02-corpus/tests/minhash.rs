//! MinHash against the Jaccard similarity that it estimates.
#![allow(clippy::unwrap_used)]

use corpus::Document;
use corpus::banding::candidate_probability;
use corpus::minhash::{MinHashConfig, Permutations, jaccard, near_duplicates, shingles, similarity};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn sorted(mut set: Vec<u32>) -> Vec<u32> {
    set.sort_unstable();
    set.dedup();
    set
}

/// Two random sets of about 200 elements with about the given similarity.
fn pair(target: f64, rng: &mut ChaCha8Rng) -> (Vec<u32>, Vec<u32>) {
    let n_common = (200.0 * 2.0 * target / (1.0 + target)) as usize;
    let fresh = |rng: &mut ChaCha8Rng, n: usize| (0..n).map(|_| rng.random()).collect::<Vec<u32>>();
    let common = fresh(rng, n_common);
    let with_own = |rng: &mut ChaCha8Rng| sorted([common.clone(), fresh(rng, 200 - n_common)].concat());
    (with_own(rng), with_own(rng))
}

#[test]
fn the_estimate_is_unbiased_and_within_its_standard_error() {
    let config = MinHashConfig::default();
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    for target in [0.05, 0.3, 0.5, 0.8, 0.95] {
        let n_trials = 200;
        let mut errors = Vec::new();
        for seed in 0..n_trials {
            let (a, b) = pair(target, &mut rng);
            let permutations = Permutations::new(&MinHashConfig { seed, ..config.clone() });
            let estimate = similarity(&permutations.signature(&a), &permutations.signature(&b));
            errors.push(estimate - jaccard(&a, &b));
        }
        let n = n_trials as f64;
        let mean = errors.iter().sum::<f64>() / n;
        let deviation = (errors.iter().map(|e| e * e).sum::<f64>() / n).sqrt();
        let standard_error = (target * (1.0 - target) / config.n_hashes() as f64).sqrt();
        assert!(mean.abs() < 4.0 * standard_error / n.sqrt() + 0.002, "J {target}: bias {mean}");
        assert!((0.8..1.2).contains(&(deviation / standard_error)), "J {target}: {deviation} for {standard_error}");
    }
}

#[test]
fn candidates_follow_the_s_curve() {
    let config = MinHashConfig { bands: 8, rows: 4, min_similarity: 0.0, ..Default::default() };
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for target in [0.3, 0.6, 0.8] {
        let (n_trials, mut n_met, mut expected) = (400, 0, 0.0);
        for seed in 0..n_trials {
            let (a, b) = pair(target, &mut rng);
            let permutations = Permutations::new(&MinHashConfig { seed, ..config.clone() });
            let (a, b) = (permutations.signature(&a), permutations.signature(&b));
            n_met += usize::from(a.chunks(4).zip(b.chunks(4)).any(|(x, y)| x == y));
            expected += candidate_probability(target, 8, 4);
        }
        let (met, expected) = (n_met as f64 / n_trials as f64, expected / n_trials as f64);
        assert!((met - expected).abs() < 0.08, "J {target}: {met} of pairs met, expected {expected}");
    }
}

fn documents(texts: &[String]) -> Vec<Document> {
    let document = |(i, text): (usize, &String)| Document::new(i.to_string(), "", text.clone());
    texts.iter().enumerate().map(document).collect()
}

fn random_text(rng: &mut ChaCha8Rng, n_words: usize) -> String {
    (0..n_words).map(|_| format!("w{}", rng.random_range(0..400))).collect::<Vec<_>>().join(" ")
}

/// The oracle compares all pairs by their true similarity.
#[test]
fn agrees_with_all_pairs_where_the_answer_is_clear() {
    let config = MinHashConfig::default();
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut texts: Vec<String> = (0..60).map(|_| random_text(&mut rng, 80)).collect();
    for i in 0..30 {
        let mut words: Vec<String> = texts[i].split(' ').map(String::from).collect();
        let at = rng.random_range(0..words.len());
        words[at] = "changed".into();
        texts.push(words.join(" "));
    }
    let sets: Vec<_> = texts.iter().map(|text| shingles(text, &config)).collect();
    let expected: Vec<Option<usize>> =
        (0..texts.len()).map(|i| (0..i).find(|&j| jaccard(&sets[i], &sets[j]) >= config.min_similarity)).collect();
    assert_eq!(expected.iter().flatten().count(), 30);
    assert_eq!(near_duplicates(&documents(&texts), &config), expected);
}

#[test]
fn equal_texts_meet_and_short_texts_do_not_panic() {
    let texts = ["", "one", "one", "One!", "", "two words", "a b c d e f g"].map(String::from);
    let found = near_duplicates(&documents(&texts), &MinHashConfig::default());
    assert_eq!(found, [None, None, Some(1), Some(1), Some(0), None, None]);
}

#[test]
fn a_cluster_keeps_its_first_page_in_any_order_of_the_others() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let base = random_text(&mut rng, 100);
    let texts = [base.clone(), format!("{base} and more"), random_text(&mut rng, 100), format!("before {base}")];
    let config = MinHashConfig::default();
    assert_eq!(near_duplicates(&documents(&texts), &config), [None, Some(0), None, Some(0)]);
    let turned: Vec<String> = texts.iter().rev().cloned().collect();
    assert_eq!(near_duplicates(&documents(&turned), &config), [None, None, Some(0), Some(0)]);
}
