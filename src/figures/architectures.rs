//! Chapter 6: the loss of each step from GPT-2's block to a Llama's, a dot for each seed.

use plotters::prelude::*;

use super::{FONT, FONT_SIZE, FigureError, INK, PALETTE, svg};
use crate::bench::architectures::Ablations;

/// Draws one line a variant: dots for the seeds, a stroke for their mean.
///
/// # Errors
/// If drawing fails.
pub fn architectures(found: &Ablations) -> Result<String, FigureError> {
    const ROW: i32 = 28;
    const LEFT: i32 = 270;
    const RIGHT: i32 = 690;
    let losses = || found.variants.iter().flat_map(|variant| variant.losses.iter().copied());
    let (low, high) = losses().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    let room = 0.05 * (high - low).max(1e-3);
    let at = |loss: f64| LEFT + ((loss - low + room) / (high - low + 2.0 * room) * f64::from(RIGHT - LEFT)) as i32;
    let bottom = found.variants.len() as i32 * ROW + 8;
    svg((720, (bottom + 34) as u32), |area| {
        let font = || (FONT, FONT_SIZE).into_font().color(&INK);
        for (number, variant) in found.variants.iter().enumerate() {
            let middle = number as i32 * ROW + ROW / 2 + 4;
            area.draw(&Text::new(variant.name.clone(), (8, middle - 6), font()))?;
            area.draw(&PathElement::new([(LEFT, middle), (RIGHT, middle)], INK.mix(0.15)))?;
            let mean = at(variant.mean());
            area.draw(&PathElement::new([(mean, middle - 9), (mean, middle + 9)], PALETTE[1].stroke_width(2)))?;
            for loss in &variant.losses {
                area.draw(&Circle::new((at(*loss), middle), 4, PALETTE[0].mix(0.7).filled()))?;
            }
        }
        area.draw(&PathElement::new([(LEFT, bottom), (RIGHT, bottom)], INK.mix(0.6)))?;
        for tick in 0..=4 {
            let loss = low + (high - low) * f64::from(tick) / 4.0;
            area.draw(&PathElement::new([(at(loss), bottom), (at(loss), bottom + 4)], INK.mix(0.6)))?;
            area.draw(&Text::new(format!("{loss:.2}"), (at(loss) - 12, bottom + 8), font()))?;
        }
        area.draw(&Text::new("validation loss, nats", (LEFT - 150, bottom + 8), font()))?;
        Ok(())
    })
}
