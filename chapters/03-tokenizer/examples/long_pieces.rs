//! How long encoding takes a byte, for texts that are one piece: letters without a space, from a kilobyte to ten megabytes.
//!
//! ```text
//! cargo run --release -p tokenizer --example long_pieces
//! ```
//!
//! Three texts: one word repeated, which merges far; random letters, which merge little; one letter, where all pairs are equal.
//! Sizes alternate within a round, and the medians over rounds are printed, so that a busy machine slows all of them.

use std::time::Instant;

use anyhow::Result;
use tokenizer::{Tokenizer, TrainConfig};

const N_BYTES: [usize; 5] = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];
const N_ROUNDS: usize = 5;

fn main() -> Result<()> {
    let mut state = 1_u64;
    let mut draw = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % 26
    };
    let mut letters = |n: usize| -> String { (0..n).map(|_| char::from(b'a' + draw() as u8)).collect() };
    let words: Vec<String> = (0..3000).map(|i| letters(2 + i % 9)).collect();
    let texts = [words.join(" "), letters(200_000), "lamplight ".repeat(50), "a".repeat(3000)];
    let config = TrainConfig::with_vocab_size(8192);
    let tokenizer = Tokenizer::train(&texts, &config)?;
    let longest = N_BYTES[N_BYTES.len() - 1];
    let kinds = [
        ("one word, repeated", "lamplight".repeat(longest / 9 + 1)),
        ("random letters", letters(longest)),
        ("one letter", "a".repeat(longest)),
    ];
    println!("nanoseconds a byte, median of {N_ROUNDS} rounds; {} merges", tokenizer.merges().len());
    for (name, text) in &kinds {
        let mut seconds = vec![Vec::new(); N_BYTES.len()];
        for _ in 0..N_ROUNDS {
            for (&n_bytes, seconds) in N_BYTES.iter().zip(&mut seconds) {
                let piece = &text[..n_bytes];
                // A short piece is encoded often, or the clock would be what is measured.
                let n_times = (1_000_000 / n_bytes).max(1);
                let start = Instant::now();
                let n_ids: usize = (0..n_times).map(|_| tokenizer.encode(piece).len()).sum();
                seconds.push(start.elapsed().as_secs_f64() / n_times as f64);
                anyhow::ensure!(n_ids > 0, "no ids");
            }
        }
        let ns_per_byte = N_BYTES.iter().zip(&mut seconds).map(|(&n_bytes, seconds)| {
            seconds.sort_by(f64::total_cmp);
            format!("{:>8.1}", seconds[N_ROUNDS / 2] * 1e9 / n_bytes as f64)
        });
        println!("{name:<20}{}", ns_per_byte.collect::<String>());
    }
    Ok(())
}
