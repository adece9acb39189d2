//! Finds pages that are almost the same, by MinHash and locality-sensitive hashing (Broder 1997).
//!
//! A page becomes the set of its shingles: all runs of `shingle_words` words, hashed. How alike two pages are is their
//! sets' Jaccard similarity, $J(A, B) = |A \cap B| / |A \cup B|$.
//!
//! Comparing all pairs is out of the question. For a random permutation of all hashes, the probability that $A$ and $B$
//! have the same smallest element is exactly $J$. So `n_hashes = bands * rows` permutations give a signature, and the
//! share of equal places in two signatures estimates $J$ with a standard error of $\sqrt{J(1-J)/n}$.
//!
//! The permutations are those of datasketch 2.0's `affine32`: a shingle's hash is mixed once by MurmurHash3's finaliser and
//! then mapped by $h \mapsto a h + b \bmod 2^{32}$. With $a$ odd that is a bijection of all 32-bit numbers. Multiplication
//! that wraps is the cheapest there is, and a vector register does eight or sixteen at once. The family is not min-wise
//! independent by proof; a test measures its bias. Two different shingles have one hash with probability $2^{-32}$, so
//! sets above some tens of millions of shingles look more alike than they are.
//!
//! Which pages are compared is decided in [`crate::banding`], what becomes of alike pairs in [`crate::clusters`].
//!
//! FineWeb (arXiv:2406.17557, section 3.4) uses 5-word shingles, 14 bands and 8 rows; our pages are about a hundred words
//! long, and one changed word touches five 5-word shingles, so the default here is 3.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::banding::bucket_key;
use crate::clusters::{Clusters, bucket_edges};
use crate::document::Document;
use crate::setting::{InvalidSetting, holds, share};
use crate::sha1_lanes;
use crate::words::JoinedWords;

/// Permutations that are computed together: what fits into the registers of AVX2 with its factors, terms and minima.
const LANES: usize = 32;

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
    /// The hash of a shingle.
    pub shingle_hash: ShingleHash,
}

/// How the text of a shingle becomes a number of 32 bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShingleHash {
    /// The lower half of XXH3's 64 bits: several times as fast as SHA-1.
    #[default]
    Xxh3,
    /// The first four bytes of SHA-1, little-endian, as in datasketch.
    Sha1,
}

impl Default for MinHashConfig {
    fn default() -> Self {
        Self {
            shingle_words: 3,
            bands: 20,
            rows: 6,
            min_similarity: 0.65,
            seed: 0,
            shingle_hash: ShingleHash::default(),
        }
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
        holds((1..=256).contains(&self.rows), "minhash.rows", self.rows, "choose from 1 to 256")?;
        share("minhash.min_similarity", self.min_similarity)
    }
}

// ANCHOR: near_duplicates
/// For each document the index of the first document of its cluster, or `None` if it is that one.
pub fn near_duplicates(documents: &[Document], config: &MinHashConfig) -> Vec<Option<usize>> {
    let permutations = Permutations::new(config);
    let signatures: Vec<Vec<u32>> = documents.par_iter().map(|d| permutations.sign(&d.text, config)).collect();
    clusters_of(&signatures, config)
}

/// The same for documents of which only the signatures are at hand.
pub fn clusters_of(signatures: &[Vec<u32>], config: &MinHashConfig) -> Vec<Option<usize>> {
    let alike = |i: u32, j: u32| similarity(&signatures[i as usize], &signatures[j as usize]) >= config.min_similarity;
    let edges_of_band = |band: usize| {
        let key = |signature: &Vec<u32>| bucket_key(signature, band, config);
        let mut members: Vec<(u64, u32)> = signatures.iter().map(key).zip(0..).collect();
        members.sort_unstable();
        let buckets = members.chunk_by(|a, b| a.0 == b.0);
        buckets.flat_map(|bucket| bucket_edges(bucket.iter().map(|&(_, document)| document), alike)).collect::<Vec<_>>()
    };
    let edges: Vec<Vec<(u32, u32)>> = (0..config.bands).into_par_iter().map(edges_of_band).collect();
    let mut clusters = Clusters::new(signatures.len());
    for (document, leader) in edges.into_iter().flatten() {
        clusters.join(document, leader);
    }
    (0..signatures.len()).map(|i| clusters.earlier(i as u32).map(|first| first as usize)).collect()
}
// ANCHOR_END: near_duplicates

// ANCHOR: signature
/// The hashes of all runs of `shingle_words` words, as often as they occur; a text shorter than that is one shingle.
pub fn shingle_hashes(words: &JoinedWords, config: &MinHashConfig) -> Vec<u32> {
    let runs = words.runs(config.shingle_words);
    match config.shingle_hash {
        ShingleHash::Xxh3 => runs.map(|run| xxh3_64(run.as_bytes()) as u32).collect(),
        ShingleHash::Sha1 => sha1_lanes::first_words(runs),
    }
}

/// `n_hashes` random permutations $h \mapsto (a h + b) \bmod 2^{32}$ with odd $a$.
#[derive(Debug, Clone)]
pub struct Permutations {
    n_hashes: usize,
    /// The factors, [`LANES`] at a time, the last ones filled up.
    a: Vec<[u32; LANES]>,
    /// The terms, likewise.
    b: Vec<[u32; LANES]>,
}

impl Permutations {
    /// Draws the permutations that `config.seed` decides.
    pub fn new(config: &MinHashConfig) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
        let pairs: Vec<(u32, u32)> = (0..config.n_hashes()).map(|_| (rng.random::<u32>() | 1, rng.random())).collect();
        Self::blocks(&pairs)
    }

    /// The permutations with the given factors and terms, such as datasketch's.
    ///
    /// # Errors
    /// An even factor: it maps two numbers to one and permutes nothing.
    pub fn of_pairs(pairs: &[(u32, u32)]) -> Result<Self, InvalidSetting> {
        for (a, _) in pairs {
            holds(a % 2 == 1, "a permutation's factor", a, "choose an odd one")?;
        }
        Ok(Self::blocks(pairs))
    }

    fn blocks(pairs: &[(u32, u32)]) -> Self {
        let block = |pairs: &[(u32, u32)], of: fn(&(u32, u32)) -> u32| {
            let mut block = [1; LANES];
            block.iter_mut().zip(pairs).for_each(|(place, pair)| *place = of(pair));
            block
        };
        let a = pairs.chunks(LANES).map(|pairs| block(pairs, |pair| pair.0)).collect();
        let b = pairs.chunks(LANES).map(|pairs| block(pairs, |pair| pair.1)).collect();
        Self { n_hashes: pairs.len(), a, b }
    }

    /// The signature of a text; length `n_hashes`.
    pub fn sign(&self, text: &str, config: &MinHashConfig) -> Vec<u32> {
        self.signature(&shingle_hashes(&JoinedWords::new(text), config))
    }

    /// The smallest permuted shingle under each permutation; length `n_hashes`, all ones for no shingle.
    pub fn signature(&self, shingles: &[u32]) -> Vec<u32> {
        let mixed: Vec<u32> = shingles.iter().map(|&hash| mix(hash)).collect();
        let mut signature: Vec<u32> = self.a.iter().zip(&self.b).flat_map(|(a, b)| smallest(a, b, &mixed)).collect();
        signature.truncate(self.n_hashes);
        signature
    }
}

/// MurmurHash3's finaliser for 32 bits, a bijection: neighbouring hashes end far apart.
fn mix(mut hash: u32) -> u32 {
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85EB_CA6B);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xC2B2_AE35);
    hash ^ (hash >> 16)
}

#[inline(always)]
fn smallest_on_any(a: &[u32; LANES], b: &[u32; LANES], hashes: &[u32]) -> [u32; LANES] {
    let mut smallest = [u32::MAX; LANES];
    for &hash in hashes {
        for lane in 0..LANES {
            smallest[lane] = smallest[lane].min(a[lane].wrapping_mul(hash).wrapping_add(b[lane]));
        }
    }
    smallest
}

/// The share of equal places in two signatures, an estimate of the Jaccard similarity.
pub fn similarity(a: &[u32], b: &[u32]) -> f64 {
    let equal: u32 = a.iter().zip(b).map(|(x, y)| u32::from(x == y)).sum();
    f64::from(equal) / a.len().max(1) as f64
}
// ANCHOR_END: signature

/// [`smallest_on_any`] in the widest vectors that this CPU has; the same result.
fn smallest(a: &[u32; LANES], b: &[u32; LANES], hashes: &[u32]) -> [u32; LANES] {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx512f") {
        // SAFETY: the line above has found the feature that the function is compiled for.
        #[allow(unsafe_code)]
        return unsafe { x86::smallest_avx512(a, b, hashes) };
    } else if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: as above.
        #[allow(unsafe_code)]
        return unsafe { x86::smallest_avx2(a, b, hashes) };
    }
    smallest_on_any(a, b, hashes)
}

/// The compiler's own vectors of the same loop: without these features x86-64 has no 32-bit multiplication of vectors.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{LANES, smallest_on_any};

    #[target_feature(enable = "avx512f")]
    pub(super) fn smallest_avx512(a: &[u32; LANES], b: &[u32; LANES], hashes: &[u32]) -> [u32; LANES] {
        smallest_on_any(a, b, hashes)
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn smallest_avx2(a: &[u32; LANES], b: &[u32; LANES], hashes: &[u32]) -> [u32; LANES] {
        smallest_on_any(a, b, hashes)
    }
}

/// The distinct hashes of a text's shingles in rising order, for [`jaccard`].
pub fn shingles(text: &str, config: &MinHashConfig) -> Vec<u32> {
    let mut hashes = shingle_hashes(&JoinedWords::new(text), config);
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// The Jaccard similarity of two sets, each sorted and without repetition.
pub fn jaccard(a: &[u32], b: &[u32]) -> f64 {
    let common = a.iter().filter(|x| b.binary_search(x).is_ok()).count();
    let union = a.len() + b.len() - common;
    if union == 0 { 1.0 } else { common as f64 / union as f64 }
}
