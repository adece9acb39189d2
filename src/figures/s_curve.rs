//! Chapter 2: how likely two documents become candidates, over their similarity.

use corpus::minhash::MinHashConfig;

use super::FigureError;
use super::lines::{Line, YAxis, lines};

/// Draws 1 − (1 − sʳ)ᵇ of the default bands and rows, and of two others.
///
/// # Errors
/// If drawing fails.
pub fn s_curve() -> Result<String, FigureError> {
    let MinHashConfig { bands, rows, .. } = MinHashConfig::default();
    let curve = |bands: usize, rows: usize| {
        let points = (0..=100).map(|percent| f64::from(percent) / 100.0);
        let caught = move |s: f64| 1.0 - (1.0 - s.powi(rows as i32)).powi(bands as i32);
        Line::new(format!("{bands} bands of {rows}"), points.map(move |s| (s, caught(s))))
    };
    lines(
        "Jaccard similarity",
        "chance to be compared",
        &[curve(bands, rows), curve(bands * 2, rows / 2), curve(bands / 2, rows * 2)],
        YAxis::FromZero,
    )
}
