//! Chapter 14: DPO's loss and the strength of its gradient over the margin.

use super::FigureError;
use super::lines::{Line, YAxis, lines};

/// Draws −log σ(m) and σ(−m).
///
/// # Errors
/// If drawing fails.
pub fn dpo_loss() -> Result<String, FigureError> {
    let margins = || (-60..=60).map(|tenth| f64::from(tenth) / 10.0);
    let loss = |margin: f64| (1.0 + (-margin).exp()).ln();
    let weight = |margin: f64| 1.0 / (1.0 + margin.exp());
    lines(
        "margin",
        "nats",
        &[
            Line::new("loss", margins().map(|margin| (margin, loss(margin)))),
            Line::new("weight of the gradient", margins().map(|margin| (margin, weight(margin)))),
        ],
        YAxis::FromZero,
    )
}
