//! Signatures and bands against datasketch 2.0, an independent implementation (tests/reference/minhash.py).
#![allow(clippy::unwrap_used)]

use corpus::minhash::{MinHashConfig, Permutations, ShingleHash};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    shingle_words: usize,
    a: Vec<u32>,
    b: Vec<u32>,
    signatures: Vec<Signed>,
    bands: Vec<Bands>,
}

#[derive(Deserialize)]
struct Signed {
    text: String,
    signature: Vec<u32>,
}

#[derive(Deserialize)]
struct Bands {
    threshold: f64,
    n_hashes: usize,
    bands: usize,
    rows: usize,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../../tests/reference/minhash.json")).unwrap()
}

#[test]
fn signatures_are_datasketchs_for_its_permutations() {
    let golden = golden();
    let config =
        MinHashConfig { shingle_words: golden.shingle_words, shingle_hash: ShingleHash::Sha1, ..Default::default() };
    let pairs: Vec<(u32, u32)> = golden.a.into_iter().zip(golden.b).collect();
    let permutations = Permutations::of_pairs(&pairs).unwrap();
    assert_eq!(golden.signatures.len(), 8);
    for Signed { text, signature } in golden.signatures {
        assert_eq!(permutations.sign(&text, &config), signature, "{text}");
    }
}

#[test]
fn bands_are_datasketchs_for_its_thresholds() {
    for Bands { threshold, n_hashes, bands, rows } in golden().bands {
        let config = MinHashConfig::for_threshold(threshold, n_hashes).unwrap();
        assert_eq!((config.bands, config.rows), (bands, rows), "threshold {threshold}, {n_hashes} hashes");
        config.validate().unwrap();
    }
}

#[test]
fn even_factors_and_impossible_thresholds_are_refused() {
    assert!(Permutations::of_pairs(&[(3, 1), (4, 1)]).unwrap_err().to_string().contains("factor is 4; choose an odd"));
    for threshold in [0.0, 1.0, -0.5, f64::NAN] {
        let error = MinHashConfig::for_threshold(threshold, 128).unwrap_err().to_string();
        assert!(error.contains("choose a similarity between 0 and 1"), "{error}");
    }
    assert!(MinHashConfig::for_threshold(0.8, 0).is_err());
}
