//! Chapter 9: which blocks of scores causal attention computes.

use kernels::attention::{KEY_BLOCK, QUERY_BLOCK};
use plotters::prelude::*;

use super::{FONT, FONT_SIZE, FigureError, INK, PALETTE, svg};

/// Blocks of queries, from top to bottom.
const N_QUERY_BLOCKS: i32 = 16;
/// A block of keys is as long as this many blocks of queries.
const QUERY_BLOCKS_PER_KEY_BLOCK: i32 = (KEY_BLOCK / QUERY_BLOCK) as i32;

/// Draws the scores of a sequence: one block of queries at a time goes through the keys, block by block.
///
/// # Errors
/// If drawing fails.
pub fn causal_blocks() -> Result<String, FigureError> {
    const CELL: i32 = 18;
    const LEFT: i32 = 90;
    const TOP: i32 = 34;
    const LEGEND: i32 = LEFT + N_QUERY_BLOCKS * CELL + 36;
    let side = N_QUERY_BLOCKS * CELL;
    svg((720, (TOP + side + 14) as u32), |area| {
        let font = || (FONT, FONT_SIZE).into_font().color(&INK);
        let rectangle = |(left, top): (i32, i32), (right, bottom): (i32, i32), style: ShapeStyle| {
            Rectangle::new([(left, top), (right, bottom)], style)
        };
        area.draw(&Text::new(format!("keys, in blocks of {KEY_BLOCK}"), (LEFT, 10), font()))?;
        area.draw(&Text::new("queries,", (10, TOP + 4), font()))?;
        area.draw(&Text::new("in blocks", (10, TOP + 22), font()))?;
        area.draw(&Text::new(format!("of {QUERY_BLOCK}"), (10, TOP + 40), font()))?;
        for row in 0..N_QUERY_BLOCKS {
            let (top, bottom) = (TOP + row * CELL, TOP + (row + 1) * CELL);
            let blocks: Vec<_> = (0..=row)
                .step_by(QUERY_BLOCKS_PER_KEY_BLOCK as usize)
                .map(|start| {
                    (
                        (LEFT + start * CELL, top),
                        (LEFT + (row + 1).min(start + QUERY_BLOCKS_PER_KEY_BLOCK) * CELL, bottom),
                    )
                })
                .collect();
            for (corner, opposite) in &blocks {
                area.draw(&rectangle(*corner, *opposite, PALETTE[0].mix(0.75).filled()))?;
            }
            let (left, right) = (LEFT + row * CELL, LEFT + (row + 1) * CELL);
            area.draw(&Polygon::new(vec![(left, top), (right, top), (right, bottom)], PALETTE[1].filled()))?;
            for (corner, opposite) in &blocks {
                area.draw(&rectangle(*corner, *opposite, INK.stroke_width(1)))?;
            }
        }
        area.draw(&rectangle((LEFT, TOP), (LEFT + side, TOP + side), INK.mix(0.4).stroke_width(1)))?;
        let legend = [
            (Some(PALETTE[0].mix(0.75)), "computed, and used"),
            (Some(PALETTE[1].mix(1.0)), "computed, then masked"),
            (None, "never computed"),
        ];
        for (index, (colour, text)) in legend.into_iter().enumerate() {
            let top = TOP + 20 + index as i32 * 30;
            if let Some(colour) = colour {
                area.draw(&rectangle((LEGEND, top), (LEGEND + CELL, top + CELL), colour.filled()))?;
            }
            area.draw(&rectangle((LEGEND, top), (LEGEND + CELL, top + CELL), INK.mix(0.4).stroke_width(1)))?;
            area.draw(&Text::new(text, (LEGEND + CELL + 10, top + 3), font()))?;
        }
        Ok(())
    })
}
