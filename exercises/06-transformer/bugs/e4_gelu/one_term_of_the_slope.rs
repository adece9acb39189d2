//! Planted bug: forgets that the tanh depends on x too.

use std::f64::consts::PI;

/// GELU by its approximation with tanh.
pub fn gelu_tanh(x: f64) -> f64 {
    0.5 * x * (1.0 + inner(x).tanh())
}

/// The derivative of [`gelu_tanh`].
pub fn gelu_tanh_slope(x: f64) -> f64 {
    let t = inner(x).tanh();
    0.5 * (1.0 + t)
}

fn inner(x: f64) -> f64 {
    (2.0 / PI).sqrt() * (x + 0.044715 * x.powi(3))
}
