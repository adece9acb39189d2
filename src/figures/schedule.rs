//! Chapter 8: the learning rate over a run.

use training::Schedule;

use super::FigureError;
use super::lines::{Line, YAxis, lines};

/// Draws warmup and cosine of a run of 1,000 steps.
///
/// # Errors
/// If drawing fails.
pub fn schedule() -> Result<String, FigureError> {
    const N_STEPS: usize = 1000;
    let schedule = Schedule { peak_lr: 1.0, warmup_steps: 100, final_ratio: 0.1 };
    let points = (0..N_STEPS).step_by(5).map(|step| (step as f64, schedule.learning_rate(step, N_STEPS)));
    lines("step", "learning rate / peak", &[Line::new("learning rate", points)], YAxis::FromZero)
}
