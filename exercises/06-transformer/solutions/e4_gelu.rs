//! Solution 06.4: the formula, and the product rule on it.
//!
//! `gelu = x / 2 * (1 + t)` with `t = tanh(u)` has the slope `(1 + t) / 2 + x / 2 * (1 - t^2) * u'`.

use std::f64::consts::PI;

/// GELU by its approximation with tanh.
pub fn gelu_tanh(x: f64) -> f64 {
    0.5 * x * (1.0 + inner(x).tanh())
}

/// The derivative of [`gelu_tanh`].
pub fn gelu_tanh_slope(x: f64) -> f64 {
    let t = inner(x).tanh();
    let inner_slope = (2.0 / PI).sqrt() * (1.0 + 3.0 * 0.044715 * x * x);
    0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * inner_slope
}

fn inner(x: f64) -> f64 {
    (2.0 / PI).sqrt() * (x + 0.044715 * x.powi(3))
}
