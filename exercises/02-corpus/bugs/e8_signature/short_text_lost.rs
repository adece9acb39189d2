//! Planted bug: a text of fewer words than a run has no shingle.

/// The Fowler-Noll-Vo hash 1a of 64 bits.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    let step = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// The signature of the runs of `n` words.
pub fn signature(words: &[&str], n: usize, permutations: &[(u32, u32)]) -> Vec<u32> {
    let runs = words.windows(n);
    let hashes: Vec<u32> = runs.map(|run| (fnv1a(run.join(" ").as_bytes()) >> 32) as u32).collect();
    let smallest = |&(a, b): &(u32, u32)| {
        hashes.iter().map(|h| a.wrapping_mul(*h).wrapping_add(b)).min().unwrap_or(u32::MAX)
    };
    permutations.iter().map(smallest).collect()
}

/// The bucket of each band of `rows` places.
pub fn buckets(signature: &[u32], rows: usize) -> Vec<u64> {
    let bucket = |(band, places): (u32, &[u32])| {
        let bytes: Vec<u8> = [band].iter().chain(places).flat_map(|value| value.to_le_bytes()).collect();
        fnv1a(&bytes)
    };
    (0..).zip(signature.chunks_exact(rows)).map(bucket).collect()
}
