//! Figures, one file each: the only user of plotters.
//!
//! A figure is SVG text. Axes and labels are drawn in `currentColor`, so that an inlined figure follows the page's theme, light or dark.

pub mod architectures;
pub mod attention_maps;
pub mod bars;
pub mod bpe_merges;
pub mod causal_blocks;
pub mod dpo_loss;
pub mod funnel;
pub mod lines;
pub mod logit_lens;
pub mod roofline;
pub mod s_curve;
pub mod schedule;

use plotters::prelude::*;

/// What went wrong while drawing.
pub type FigureError = Box<dyn std::error::Error + Send + Sync>;

/// Colours that are told apart on white, on black, and by most colour-blind readers (Okabe and Ito 2008).
pub(crate) const PALETTE: [RGBColor; 5] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
];

/// Stands for the theme's text colour while plotters draws; no figure uses it otherwise.
pub(crate) const INK: RGBColor = RGBColor(1, 2, 3);
const INK_HEX: &str = "#010203";

pub(crate) const FONT: &str = "sans-serif";
pub(crate) const FONT_SIZE: u32 = 13;

/// Draws on a canvas of `width` × `height` and returns the SVG.
pub(crate) fn svg(
    (width, height): (u32, u32),
    draw: impl FnOnce(&DrawingArea<SVGBackend, plotters::coord::Shift>) -> Result<(), FigureError>,
) -> Result<String, FigureError> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (width, height)).into_drawing_area();
        draw(&area)?;
        area.present().map_err(|error| error.to_string())?;
    }
    Ok(text.replace(INK_HEX, "currentColor"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ink_becomes_the_theme_colour() {
        let text = svg((10, 10), |area| {
            area.draw_pixel((1, 1), &INK).map_err(|error| error.to_string())?;
            Ok(())
        });
        let text = text.unwrap();
        assert!(text.contains("currentColor") && !text.contains(INK_HEX) && text.contains("viewBox"), "{text}");
    }
}
