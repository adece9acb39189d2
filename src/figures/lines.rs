//! Lines over a common axis: loss curves, learning rates, gradient norms.

use plotters::prelude::*;

use super::{FONT, FONT_SIZE, FigureError, INK, PALETTE, svg};

/// One line with its name in the legend.
#[derive(Debug, Clone)]
pub struct Line {
    /// Shown in the legend, if there is more than one line.
    pub name: String,
    /// Points in the order of x; those that are not finite are left out.
    pub points: Vec<(f64, f64)>,
}

impl Line {
    /// A line from its points.
    pub fn new(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let finite = |point: &(f64, f64)| point.0.is_finite() && point.1.is_finite();
        Self { name: name.into(), points: points.into_iter().filter(finite).collect() }
    }
}

/// Where the y axis begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum YAxis {
    /// At zero, for what is never negative.
    FromZero,
    /// A little below the smallest value.
    FromSmallest,
}

/// Draws lines over x, with y up to the largest value.
///
/// # Errors
/// If no line has a point.
pub fn lines(x_label: &str, y_label: &str, lines: &[Line], y_axis: YAxis) -> Result<String, FigureError> {
    let points = || lines.iter().flat_map(|line| line.points.iter());
    let range = |value: fn(&(f64, f64)) -> f64| {
        points().map(value).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
    };
    let ((x_low, x_high), (y_low, y_high)) = (range(|point| point.0), range(|point| point.1));
    if !x_low.is_finite() {
        return Err(format!("no points to draw for {y_label}").into());
    }
    let pad = |low: f64| if y_high > low { (y_high - low) * 0.05 } else { 1.0 };
    let y_range = match y_axis {
        YAxis::FromZero => 0.0..y_high + pad(0.0),
        YAxis::FromSmallest => y_low - pad(y_low)..y_high + pad(y_low),
    };
    let x_range = x_low..(if x_high > x_low { x_high } else { x_low + 1.0 });
    svg((720, 300), |area| {
        let font = || (FONT, FONT_SIZE).into_font().color(&INK);
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(62)
            .build_cartesian_2d(x_range, y_range)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .bold_line_style(INK.mix(0.15))
            .light_line_style(INK.mix(0.0))
            .axis_style(INK.mix(0.6))
            .label_style(font())
            .axis_desc_style(font())
            .x_desc(x_label)
            .y_desc(y_label)
            .draw()?;
        for (index, line) in lines.iter().enumerate() {
            let colour = PALETTE[index % PALETTE.len()];
            let series = LineSeries::new(line.points.iter().copied(), colour.stroke_width(2));
            let drawn = chart.draw_series(series)?;
            if lines.len() > 1 {
                drawn
                    .label(&line.name)
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
            }
        }
        if lines.len() > 1 {
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::UpperRight)
                .label_font(font())
                .border_style(INK.mix(0.2))
                .draw()?;
        }
        Ok(())
    })
}
