//! Bars of shares: before and after, side by side.

use plotters::prelude::*;

use super::{FONT, FONT_SIZE, FigureError, INK, PALETTE, svg};

/// A group of bars under one name.
#[derive(Debug, Clone)]
pub struct Group {
    /// Below the bars.
    pub name: String,
    /// Name and share (0 to 1) of each bar.
    pub bars: Vec<(String, f64)>,
}

/// Draws groups of shares from 0 to 100%.
///
/// # Errors
/// If there is no group.
pub fn bars(groups: &[Group]) -> Result<String, FigureError> {
    const WIDTH: i32 = 720;
    const BAR: i32 = 46;
    const TOP: i32 = 30;
    const HEIGHT: i32 = 180;
    if groups.is_empty() {
        return Err("no bars to draw".into());
    }
    let n_slots: i32 = groups.iter().map(|group| group.bars.len() as i32 + 1).sum();
    let slot = (WIDTH - 20) / n_slots.max(1);
    let width = BAR.min(slot - 6);
    svg((WIDTH as u32, (TOP + HEIGHT + 56) as u32), |area| {
        let font = |size: u32| (FONT, size).into_font().color(&INK);
        let middle = plotters::style::text_anchor::Pos::new(
            plotters::style::text_anchor::HPos::Center,
            plotters::style::text_anchor::VPos::Bottom,
        );
        let base = TOP + HEIGHT;
        area.draw(&PathElement::new([(10, base), (WIDTH - 10, base)], INK.mix(0.6)))?;
        let mut x = 10 + slot / 2;
        for group in groups {
            let first = x;
            for (index, (name, share)) in group.bars.iter().enumerate() {
                let height = (share.clamp(0.0, 1.0) * f64::from(HEIGHT)).round() as i32;
                let colour = PALETTE[index % PALETTE.len()];
                area.draw(&Rectangle::new([(x, base - height), (x + width, base)], colour.filled()))?;
                let centre = x + width / 2;
                let label = format!("{:.0}%", 100.0 * share);
                area.draw(&Text::new(label, (centre, base - height - 4), font(FONT_SIZE).pos(middle)))?;
                area.draw(&Text::new(name.clone(), (centre, base + 18), font(FONT_SIZE - 1).pos(middle)))?;
                x += slot;
            }
            let centre = (first + x - slot + width) / 2;
            area.draw(&Text::new(group.name.clone(), (centre, base + 42), font(FONT_SIZE).pos(middle)))?;
            x += slot;
        }
        Ok(())
    })
}
