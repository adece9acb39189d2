//! Planted bug: lets a NaN pass as p.

/// `probabilities` without those outside the nucleus of `p`, summing to 1 again.
///
/// # Errors
/// When `p` is not above 0 and at most 1.
pub fn top_p(probabilities: &[f64], p: f64) -> Result<Vec<f64>, String> {
    if p <= 0.0 || p > 1.0 {
        return Err(format!("top_p {p} must be above 0 and at most 1"));
    }
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    // A stable sort keeps equally likely tokens in the order of their ids.
    order.sort_by(|a, b| probabilities[*b].total_cmp(&probabilities[*a]));
    let mut kept = vec![0.0; probabilities.len()];
    let mut reached = 0.0;
    for token in order {
        kept[token] = probabilities[token];
        reached += probabilities[token];
        if reached >= p {
            break;
        }
    }
    kept.iter_mut().for_each(|probability| *probability /= reached);
    Ok(kept)
}
