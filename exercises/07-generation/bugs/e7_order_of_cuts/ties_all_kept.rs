//! Planted bug: keeps every token that is as likely as the last one kept.

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
    let mut weights: Vec<f64> = logits.iter().map(|z| ((f64::from(*z) - max) / temperature).exp()).collect();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    // A stable sort keeps equally likely tokens in the order of their ids.
    order.sort_by(|a, b| weights[*b].total_cmp(&weights[*a]));
    let last = order.get(top_k - 1).map_or(0.0, |token| weights[*token]);
    weights.iter_mut().filter(|weight| **weight < last).for_each(|weight| *weight = 0.0);
    for weight in weights.iter_mut().filter(|weight| **weight < min_p) {
        *weight = 0.0;
    }
    let total: f64 = weights.iter().sum();
    Ok(weights.iter().map(|weight| weight / total).collect())
}
