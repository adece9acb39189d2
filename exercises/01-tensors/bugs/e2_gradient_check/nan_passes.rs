//! Planted bug: a gradient of NaNs counts as perfect.

/// Gradient of `f` at `x` by central differences, `(n_inputs)`.
pub fn numeric_gradient(f: impl Fn(&[f64]) -> f64, x: &[f64], step: f64) -> Vec<f64> {
    let mut moved = x.to_vec();
    let mut gradient = Vec::with_capacity(x.len());
    for i in 0..x.len() {
        moved[i] = x[i] + step;
        let above = f(&moved);
        moved[i] = x[i] - step;
        let below = f(&moved);
        moved[i] = x[i];
        gradient.push((above - below) / (2.0 * step));
    }
    gradient
}

/// Largest difference between two gradients, relative where they are large; infinite if one of them
/// holds a NaN.
pub fn gradient_error(analytic: &[f64], numeric: &[f64]) -> f64 {
    let mut worst = 0.0_f64;
    for (a, n) in analytic.iter().zip(numeric) {
        let error = (a - n).abs() / a.abs().max(n.abs()).max(1.0);
        worst = worst.max(error);
    }
    worst
}
