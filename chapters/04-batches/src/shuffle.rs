//! The order in which an epoch visits the sequences.
//!
//! Neighbouring sequences come from one document, so a batch of neighbours would be many samples of one thing, and its
//! gradient a poor estimate of the whole. A shuffle mixes documents within a batch.
//!
//! The order is a pure function of (seed, epoch, n): Fisher and Yates with ChaCha8, whose key is the seed and whose
//! stream number is the epoch. So a resumed run needs no saved generator, and epochs have unrelated orders.
//!
//! Source: Durstenfeld 1964 (algorithm 235) for the shuffle; Bernstein 2008 for ChaCha.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

// ANCHOR: epoch_order
/// A permutation of 0..n, (n,).
pub fn epoch_order(n: u32, seed: u64, epoch: u64) -> Vec<u32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(epoch);
    let mut order: Vec<u32> = (0..n).collect();
    for last in (1..order.len()).rev() {
        order.swap(last, rng.random_range(0..=last as u32) as usize);
    }
    order
}
// ANCHOR_END: epoch_order
