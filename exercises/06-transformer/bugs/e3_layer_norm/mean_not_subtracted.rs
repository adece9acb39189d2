//! Planted bug: divides by the standard deviation and leaves the mean.

/// `x` with mean 0 and variance 1, times `gain`, plus `bias`; all of one length.
pub fn layer_norm(x: &[f32], gain: &[f32], bias: &[f32], eps: f64) -> Vec<f32> {
    let n = x.len() as f64;
    let mean = x.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    let variance = x.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / n;
    let inverse_std = 1.0 / (variance + eps).sqrt();
    let normed = x.iter().map(|v| f64::from(*v) * inverse_std);
    normed.zip(gain).zip(bias).map(|((v, g), b)| (v * f64::from(*g) + f64::from(*b)) as f32).collect()
}
