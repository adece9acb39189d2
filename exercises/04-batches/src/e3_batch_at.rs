//! Exercise 04.3: which sequences are in batch k of a run?
//!
//! A run reads its sequences epoch after epoch, each epoch in an order of its own, and a resumed
//! run must read on exactly where the old one stopped. That is easy if the batch is a function of
//! its number. Write [`batch_at`], with [`epoch_order`] given:
//!
//! - batches are counted from 0 over the whole run, across epochs;
//! - an epoch takes its batches from `epoch_order(n_sequences, seed, epoch)`, in order;
//! - an epoch drops the few sequences at its end that do not fill a batch;
//! - fewer sequences than a batch, or a batch of 0, give `None`.
//!
//! Example: 10 sequences in batches of 4 make 2 batches an epoch. Batch 5 is the second batch of
//! epoch 2: places 4 to 7 of `epoch_order(10, seed, 2)`.
//!
//! Book: `book/src/04-batches.md`, "Shuffling" and "Stop and resume". Source: Durstenfeld 1964 for the shuffle.

/// The sequences of batch `batch` of a run, (batch_size,).
pub fn batch_at(n_sequences: u32, batch_size: usize, seed: u64, batch: u64) -> Option<Vec<u32>> {
    todo!("batch {batch} of {n_sequences} sequences in batches of {batch_size}, seed {seed}")
}

/// A permutation of 0..n that seed and epoch decide (Fisher and Yates, with SplitMix64).
pub fn epoch_order(n: u32, seed: u64, epoch: u64) -> Vec<u32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ epoch.wrapping_mul(0xD134_2543_DE82_EF95);
    let mut next = move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    };
    let mut order: Vec<u32> = (0..n).collect();
    for last in (1..order.len()).rev() {
        order.swap(last, (next() % (last as u64 + 1)) as usize);
    }
    order
}
