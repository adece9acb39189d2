//! Planted bug: multiplies by the temperature.

/// The probability of each token after temperature, top-k and min-p.
///
/// # Errors
/// When a setting cannot be.
pub fn distribution(logits: &[f32], temperature: f64, top_k: usize, min_p: f64) -> Result<Vec<f64>, String> {
    if !(temperature > 0.0 && temperature.is_finite()) {
        return Err(format!("temperature {temperature} must be above 0"));
    }
    if top_k == 0 {
        return Err("top_k 0 must be at least 1".to_string());
    }
    if !(0.0..=1.0).contains(&min_p) {
        return Err(format!("min_p {min_p} must be from 0 to 1"));
    }
    let max = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let mut weights: Vec<f64> = logits.iter().map(|z| ((f64::from(*z) - max) * temperature).exp()).collect();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    // A stable sort keeps equally likely tokens in the order of their ids.
    order.sort_by(|a, b| weights[*b].total_cmp(&weights[*a]));
    for token in order.into_iter().skip(top_k) {
        weights[token] = 0.0;
    }
    for weight in weights.iter_mut().filter(|weight| **weight < min_p) {
        *weight = 0.0;
    }
    let total: f64 = weights.iter().sum();
    Ok(weights.iter().map(|weight| weight / total).collect())
}
