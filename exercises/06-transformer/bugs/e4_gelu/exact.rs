//! Planted bug: the exact GELU, by a series for the error function.

use std::f64::consts::PI;

/// GELU by its approximation with tanh.
pub fn gelu_tanh(x: f64) -> f64 {
    0.5 * x * (1.0 + erf(x / 2.0f64.sqrt()))
}

fn erf(x: f64) -> f64 {
    if x.abs() > 5.0 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    2.0 / PI.sqrt() * sum
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
