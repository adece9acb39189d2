//! What the heads of a layer look at: one square a head, a row for each query, a column for each key, darker where the weight is larger.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{FONT, FigureError, INK, PALETTE, svg};

/// Width of the whole.
const WIDTH: i32 = 720;
const SMALL: u32 = 11;

/// One head: its name and its rows of weights, `(seq_len, seq_len)`.
#[derive(Debug, Clone)]
pub struct HeadMap {
    /// Above the square.
    pub name: String,
    /// `rows[query][key]`.
    pub rows: Vec<Vec<f32>>,
}

/// Draws maps of the same `tokens`, whose names stand at the rows of the first square of each line.
///
/// # Errors
/// If drawing fails.
pub fn attention_maps(maps: &[HeadMap], tokens: &[String]) -> Result<String, FigureError> {
    const TITLE: i32 = 22;
    const GAP: i32 = 14;
    let longest = tokens.iter().map(|token| token.chars().count()).max().unwrap_or(0).min(14) as i32;
    let left = 12 + 7 * longest;
    // Squares beside each other: as many as leave no gap in the last line, three if none do.
    let columns =
        [4, 3, 5].into_iter().find(|columns| maps.len().is_multiple_of(*columns)).unwrap_or(3).min(maps.len().max(1));
    let n_columns = columns as i32;
    let cell = ((WIDTH - left - n_columns * GAP) / n_columns / tokens.len().max(1) as i32).clamp(2, 22);
    let side = cell * tokens.len() as i32;
    let n_lines = maps.len().div_ceil(columns) as i32;
    svg((WIDTH as u32, (n_lines * (TITLE + side + GAP)).max(1) as u32), |area| {
        let font = || (FONT, SMALL).into_font().color(&INK);
        let at_right = font().pos(Pos::new(HPos::Right, VPos::Center));
        for (number, map) in maps.iter().enumerate() {
            let (line, column) = ((number / columns) as i32, (number % columns) as i32);
            let (x, y) = (left + column * (side + GAP), line * (TITLE + side + GAP) + TITLE);
            area.draw(&Text::new(map.name.clone(), (x, y - 16), font()))?;
            // A name at every row needs room for a line of text.
            let every = (12 + cell - 1) / cell;
            for (row, weights) in map.rows.iter().enumerate() {
                let top = y + row as i32 * cell;
                if column == 0 && row as i32 % every == 0 {
                    let name: String = tokens[row].chars().take(14).collect();
                    area.draw(&Text::new(name, (left - 6, top + cell / 2), at_right.clone()))?;
                }
                for (key, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight >= 0.005) {
                    let corner = (x + key as i32 * cell, top);
                    let colour = PALETTE[0].mix(f64::from(*weight)).filled();
                    area.draw(&Rectangle::new([corner, (corner.0 + cell, corner.1 + cell)], colour))?;
                }
            }
            area.draw(&Rectangle::new([(x, y), (x + side, y + side)], INK.mix(0.4).stroke_width(1)))?;
        }
        Ok(())
    })
}
