//! The logit lens: what a model would say at each position if it stopped after each block.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{FONT, FigureError, INK, PALETTE, svg};

const WIDTH: i32 = 720;
const ROW: i32 = 30;
const LEFT: i32 = 120;
const SMALL: u32 = 12;

/// Draws `lens[depth][position]`, the likeliest token and its probability, over the `tokens` that are read, the last depth on top.
///
/// # Errors
/// If drawing fails.
pub fn logit_lens(tokens: &[String], lens: &[Vec<(String, f32)>]) -> Result<String, FigureError> {
    let n_rows = lens.len() as i32 + 1;
    let width = (WIDTH - LEFT - 8) / tokens.len().max(1) as i32;
    svg((WIDTH as u32, (n_rows * ROW + 8) as u32), |area| {
        let font = || (FONT, SMALL).into_font().color(&INK);
        let centre = font().pos(Pos::new(HPos::Center, VPos::Center));
        let middle = |position: usize| LEFT + position as i32 * width + width / 2;
        for (depth, row) in lens.iter().enumerate() {
            let top = (lens.len() - 1 - depth) as i32 * ROW + 4;
            let name = if depth == 0 { "before block 1".to_string() } else { format!("after block {depth}") };
            area.draw(&Text::new(name, (8, top + 9), font()))?;
            for (position, (token, probability)) in row.iter().enumerate() {
                let left = LEFT + position as i32 * width;
                let corners = [(left + 1, top + 1), (left + width - 1, top + ROW - 1)];
                area.draw(&Rectangle::new(corners, PALETTE[0].mix(0.6 * f64::from(*probability)).filled()))?;
                area.draw(&Text::new(token.clone(), (middle(position), top + ROW / 2), centre.clone()))?;
            }
        }
        let top = lens.len() as i32 * ROW + 4;
        area.draw(&Text::new("reads", (8, top + 9), font()))?;
        for (position, token) in tokens.iter().enumerate() {
            area.draw(&Text::new(token.clone(), (middle(position), top + ROW / 2), centre.clone()))?;
        }
        Ok(())
    })
}
