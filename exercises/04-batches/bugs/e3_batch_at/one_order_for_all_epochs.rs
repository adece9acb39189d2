//! Planted bug: every epoch has the order of the first.

/// The sequences of batch `batch` of a run, (batch_size,).
pub fn batch_at(n_sequences: u32, batch_size: usize, seed: u64, batch: u64) -> Option<Vec<u32>> {
    let batches_per_epoch = (n_sequences as usize).checked_div(batch_size).filter(|&n| n > 0)? as u64;
    let (epoch, position) = (batch / batches_per_epoch, (batch % batches_per_epoch) as usize);
    let order = epoch_order(n_sequences, seed, epoch * 0);
    Some(order[position * batch_size..][..batch_size].to_vec())
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
