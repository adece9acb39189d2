//! Finds pages that are almost the same, by MinHash and locality-sensitive hashing (Broder 1997).
//!
//! A page becomes the set of its shingles: all runs of `shingle_words` words, hashed. How alike two pages are is their
//! sets' Jaccard similarity, $J(A, B) = |A \cap B| / |A \cup B|$.
//!
//! Comparing all pairs is out of the question. For a random permutation of all hashes, the probability that $A$ and $B$
//! have the same smallest element is exactly $J$. So `n_hashes = bands * rows` permutations give a signature, and the
//! share of equal places in two signatures estimates $J$ with a standard error of $\sqrt{J(1-J)/n}$.
//!
//! The signature is cut into bands of `rows` places. Two pages become a candidate pair if one band agrees entirely, with
//! probability $1 - (1 - J^r)^b$: an S-curve ([`candidate_probability`]). Candidates are then verified on the
//! whole signature. Pairs join into clusters, and the first page of each cluster stays.
//!
//! A bucket keeps one page of each cluster and compares with that one only, so that a thousand copies do not cost a
//! million comparisons. The price: a page that is like another member of the cluster, and not like that one, may be missed.
//!
//! FineWeb (arXiv:2406.17557, section 3.4) uses 5-word shingles, 14 bands and 8 rows; our pages are about a hundred words
//! long, and one changed word touches five 5-word shingles, so the default here is 3.

use std::collections::HashMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::document::Document;
use crate::setting::{InvalidSetting, holds, share};
use crate::words::{hash_words, words};

/// Hashes are permuted in the field of this prime, $2^{61} - 1$.
const PRIME: u64 = (1 << 61) - 1;

/// Shingles, signature and threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MinHashConfig {
    /// Words in a shingle.
    pub shingle_words: usize,
    /// Number of bands.
    pub bands: usize,
    /// Places of the signature in a band.
    pub rows: usize,
    /// Least estimated similarity of a verified pair.
    pub min_similarity: f64,
    /// Chooses the permutations.
    pub seed: u64,
}

impl Default for MinHashConfig {
    fn default() -> Self {
        Self { shingle_words: 3, bands: 20, rows: 6, min_similarity: 0.65, seed: 0 }
    }
}

impl MinHashConfig {
    /// Length of a signature.
    pub fn n_hashes(&self) -> usize {
        self.bands * self.rows
    }

    /// Checks the sizes.
    ///
    /// # Errors
    /// The first setting outside its range.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        holds(self.shingle_words > 0, "minhash.shingle_words", self.shingle_words, "choose 1 or more")?;
        holds((1..=256).contains(&self.bands), "minhash.bands", self.bands, "choose from 1 to 256")?;
        holds((1..=64).contains(&self.rows), "minhash.rows", self.rows, "choose from 1 to 64")?;
        share("minhash.min_similarity", self.min_similarity)
    }
}

// ANCHOR: near_duplicates
/// For each document the index of the first document of its cluster, or `None` if it is that one.
pub fn near_duplicates(documents: &[Document], config: &MinHashConfig) -> Vec<Option<usize>> {
    let permutations = Permutations::new(config);
    let sign = |d: &Document| permutations.signature(&shingles(&d.text, config.shingle_words));
    let signatures: Vec<Vec<u64>> = documents.par_iter().map(sign).collect();

    let mut clusters = Clusters::new(documents.len());
    for band in 0..config.bands {
        let mut buckets: HashMap<&[u64], Vec<usize>> = HashMap::new();
        for (i, signature) in signatures.iter().enumerate() {
            let key = &signature[band * config.rows..(band + 1) * config.rows];
            let bucket = buckets.entry(key).or_default();
            for &j in bucket.iter() {
                let known = clusters.first(i) == clusters.first(j);
                if !known && similarity(signature, &signatures[j]) >= config.min_similarity {
                    clusters.join(i, j);
                }
            }
            // One page of each cluster is enough: a bucket of a thousand copies must not cost a million comparisons.
            if bucket.iter().all(|&j| clusters.first(j) != clusters.first(i)) {
                bucket.push(i);
            }
        }
    }
    (0..documents.len()).map(|i| Some(clusters.first(i)).filter(|&first| first != i)).collect()
}
// ANCHOR_END: near_duplicates

// ANCHOR: signature
/// The hashed runs of `n` words, without repetition; a text shorter than that is one shingle.
pub fn shingles(text: &str, n: usize) -> Vec<u64> {
    let words = words(text);
    let mut hashes: Vec<u64> = words.windows(n.min(words.len()).max(1)).map(hash_words).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// `n_hashes` random permutations $h \mapsto (a h + b) \bmod p$.
pub struct Permutations(Vec<(u64, u64)>);

impl Permutations {
    /// Draws the permutations that `config.seed` decides.
    pub fn new(config: &MinHashConfig) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
        Self((0..config.n_hashes()).map(|_| (rng.random_range(1..PRIME), rng.random_range(0..PRIME))).collect())
    }

    /// The smallest permuted shingle under each permutation; length `n_hashes`.
    pub fn signature(&self, shingles: &[u64]) -> Vec<u64> {
        let smallest = |&(a, b): &(u64, u64)| shingles.iter().map(|&h| permute(a, b, h)).min().unwrap_or(PRIME);
        self.0.iter().map(smallest).collect()
    }
}

fn permute(a: u64, b: u64, hash: u64) -> u64 {
    let product = u128::from(a) * u128::from(hash % PRIME) + u128::from(b);
    // 2^61 = 1 modulo p: the bits above the 61st are added to those below.
    let folded = (product as u64 & PRIME) + (product >> 61) as u64;
    if folded >= PRIME { folded - PRIME } else { folded }
}

/// The share of equal places in two signatures, an estimate of the Jaccard similarity.
pub fn similarity(a: &[u64], b: &[u64]) -> f64 {
    let equal = a.iter().zip(b).filter(|(x, y)| x == y).count();
    equal as f64 / a.len().max(1) as f64
}
// ANCHOR_END: signature

// ANCHOR: s_curve
/// The probability that two pages of the given similarity share at least one band: $1 - (1 - J^r)^b$.
pub fn candidate_probability(jaccard: f64, bands: usize, rows: usize) -> f64 {
    1.0 - (1.0 - jaccard.powi(rows as i32)).powi(bands as i32)
}
// ANCHOR_END: s_curve

/// The Jaccard similarity of two sets, each sorted and without repetition.
pub fn jaccard(a: &[u64], b: &[u64]) -> f64 {
    let common = a.iter().filter(|x| b.binary_search(x).is_ok()).count();
    let union = a.len() + b.len() - common;
    if union == 0 { 1.0 } else { common as f64 / union as f64 }
}

/// A union-find forest in which the root of a cluster is its smallest index.
struct Clusters(Vec<usize>);

impl Clusters {
    fn new(n: usize) -> Self {
        Self((0..n).collect())
    }

    fn first(&mut self, mut i: usize) -> usize {
        while self.0[i] != i {
            self.0[i] = self.0[self.0[i]];
            i = self.0[i];
        }
        i
    }

    fn join(&mut self, i: usize, j: usize) {
        let (a, b) = (self.first(i), self.first(j));
        self.0[a.max(b)] = a.min(b);
    }
}
