//! Planted bug: logarithms to the base 2.

/// Log-probability of `token`, and the `n_top` most likely tokens with theirs.
pub fn log_probs(logits: &[f32], token: u32, n_top: usize) -> (f64, Vec<(u32, f64)>) {
    let z: Vec<f64> = logits.iter().map(|z| f64::from(*z)).collect();
    let max = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let log_sum = max + z.iter().map(|z| (z - max).exp()).sum::<f64>().ln();
    let mut order: Vec<u32> = (0..z.len() as u32).collect();
    // A stable sort keeps equally likely tokens in the order of their ids.
    order.sort_by(|a, b| z[*b as usize].total_cmp(&z[*a as usize]));
    order.truncate(n_top);
    let top = order.into_iter().map(|id| (id, (z[id as usize] - log_sum) / std::f64::consts::LN_2)).collect();
    ((z[token as usize] - log_sum) / std::f64::consts::LN_2, top)
}
