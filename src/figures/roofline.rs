//! Chapter 9: the operations of a training step under the roof.

use kernels::roofline::{RIDGE, training_step};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{FONT, FONT_SIZE, FigureError, INK, PALETTE, svg};

/// Operations of about one intensity share a point.
const SAME: f64 = 1.5;
/// Where the axis of shares begins.
const LOWEST: f64 = 0.0003;

/// Draws the share of the machine's peak that each operation of the tour's training step can reach.
///
/// # Errors
/// If drawing fails.
pub fn roofline() -> Result<String, FigureError> {
    let (config, batch, seq_len) = kernels::tour::example();
    let mut step = training_step(&config, batch, seq_len);
    step.sort_by(|a, b| a.intensity().total_cmp(&b.intensity()));
    let mut points: Vec<(f64, String)> = Vec::new();
    for operation in &step {
        match points.last_mut() {
            Some((intensity, names)) if operation.intensity() < SAME * *intensity => {
                names.push_str("; ");
                names.push_str(operation.name);
            }
            _ => points.push((operation.intensity(), operation.name.to_string())),
        }
    }
    let roof = |intensity: f64| (intensity / RIDGE).min(1.0);
    let n_above = points.iter().filter(|(intensity, _)| *intensity > RIDGE).count() as i32;
    svg((720, 330), |area| {
        let font = || (FONT, FONT_SIZE).into_font().color(&INK);
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .margin_right(28)
            .x_label_area_size(40)
            .y_label_area_size(62)
            .build_cartesian_2d((0.02..10_000.0).log_scale(), (LOWEST..2.0).log_scale())?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .bold_line_style(INK.mix(0.15))
            .light_line_style(INK.mix(0.0))
            .axis_style(INK.mix(0.6))
            .label_style(font())
            .axis_desc_style(font())
            .x_label_formatter(&|x| x.to_string())
            .y_label_formatter(&|y| y.to_string())
            .x_desc("FLOP per byte")
            .y_desc("share of the peak")
            .draw()?;
        let corners = [0.02_f64, RIDGE, 10_000.0].map(|intensity| (intensity, roof(intensity)));
        chart.draw_series(LineSeries::new(corners, INK.stroke_width(2)))?;
        chart.draw_series(LineSeries::new([(RIDGE, LOWEST), (RIDGE, 1.0)], INK.mix(0.25)))?;
        let left = Pos::new(HPos::Left, VPos::Center);
        let mut above = 0;
        for (intensity, names) in points {
            let side = if intensity < RIDGE { PALETTE[1] } else { PALETTE[0] };
            let mut drop = 14;
            if intensity > RIDGE {
                // The rightmost name stands highest: no line crosses a name.
                drop = 24 * (n_above - above);
                above += 1;
            }
            let at = (intensity, roof(intensity));
            chart.draw_series([EmptyElement::at(at)
                + PathElement::new([(0, 0), (0, drop)], side.mix(0.6))
                + Circle::new((0, 0), 5, side.filled())
                + Text::new(names, (6, drop), font().pos(left))])?;
        }
        let ridge = format!("ridge: {RIDGE} FLOP per byte");
        chart.draw_series([EmptyElement::at((RIDGE, LOWEST)) + Text::new(ridge, (8, -12), font().pos(left))])?;
        Ok(())
    })
}
