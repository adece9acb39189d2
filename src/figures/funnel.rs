//! The funnel of the corpus: how many pages are left after each stage.

use corpus::Funnel;
use plotters::prelude::*;

use super::{FONT, FONT_SIZE, FigureError, INK, PALETTE, svg};

/// Draws one horizontal bar a stage.
///
/// # Errors
/// If drawing fails.
pub fn funnel(funnel: &Funnel) -> Result<String, FigureError> {
    const ROW: i32 = 30;
    const LEFT: i32 = 150;
    const WIDEST: i32 = 460;
    let n_rows = funnel.stages.len() as i32 + 1;
    let widest = funnel.stages.first().map_or(1, |stage| stage.documents_in.max(1));
    let rows = funnel.stages.first().map(|stage| ("raw pages".to_string(), stage.documents_in)).into_iter();
    let rows =
        rows.chain(funnel.stages.iter().map(|stage| (stage.stage.name().replace('_', " "), stage.documents_out)));
    svg((720, (n_rows * ROW + 12) as u32), |area| {
        let font = || (FONT, FONT_SIZE).into_font().color(&INK);
        for (index, (name, n_documents)) in rows.enumerate() {
            let top = 6 + index as i32 * ROW;
            let length = (n_documents as f64 / widest as f64 * f64::from(WIDEST)).round() as i32;
            area.draw(&Text::new(name, (8, top + 6), font()))?;
            area.draw(&Rectangle::new([(LEFT, top), (LEFT + length, top + ROW - 8)], PALETTE[0].filled()))?;
            area.draw(&Text::new(n_documents.to_string(), (LEFT + length + 8, top + 6), font()))?;
        }
        Ok(())
    })
}
