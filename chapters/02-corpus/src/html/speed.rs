//! How long extraction takes, for benchmarks.

use std::hint::black_box;
use std::time::Instant;

use crate::rustdoc::extract_page;

/// Seconds that one thread needs to extract the main text of all `pages` (HTML), `n_rounds` times.
#[must_use]
pub fn seconds(pages: &[String], n_rounds: usize) -> f64 {
    let start = Instant::now();
    for _ in 0..n_rounds {
        for page in pages {
            black_box(extract_page(black_box(page)));
        }
    }
    start.elapsed().as_secs_f64()
}
