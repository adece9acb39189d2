//! Planted bug: mean of squares minus square of the mean, in f32.

/// `x` with mean 0 and variance 1, times `gain`, plus `bias`; all of one length.
pub fn layer_norm(x: &[f32], gain: &[f32], bias: &[f32], eps: f64) -> Vec<f32> {
    let n = x.len() as f32;
    let mean = x.iter().sum::<f32>() / n;
    let variance = f64::from((x.iter().map(|v| v * v).sum::<f32>() / n - mean * mean).max(0.0));
    let mean = f64::from(mean);
    let inverse_std = 1.0 / (variance + eps).sqrt();
    let normed = x.iter().map(|v| (f64::from(*v) - mean) * inverse_std);
    normed.zip(gain).zip(bias).map(|((v, g), b)| (v * f64::from(*g) + f64::from(*b)) as f32).collect()
}
