//! Planted bug: keys of later blocks are read and weighed with zero.

/// Writes attention to `out` and returns the log-sum-exp of each row of scores.
pub fn causal_attention(q: &[f64], k: &[f64], v: &[f64], head_dim: usize, block: usize, out: &mut [f64]) -> Vec<f64> {
    let seq_len = q.len() / head_dim;
    let scale = 1.0 / (head_dim as f64).sqrt();
    let row = |x: &[f64], i: usize| x[i * head_dim..(i + 1) * head_dim].to_vec();
    let mut log_sum_exp = Vec::new();
    out.fill(0.0);
    for start in (0..seq_len).step_by(block) {
        let queries = start..seq_len.min(start + block);
        let mut max = vec![f64::NEG_INFINITY; queries.len()];
        let mut sum = vec![0.0; queries.len()];
        for first_key in (0..seq_len).step_by(block) {
            let last_key = seq_len.min(first_key + block);
            for i in queries.clone() {
                let at = i - start;
                let visible = first_key..last_key;
                let query = row(q, i);
                let scores: Vec<f64> = visible
                    .clone()
                    .map(|j| {
                        let score = scale * query.iter().zip(row(k, j)).map(|(q, k)| q * k).sum::<f64>();
                        if j > i { f64::NEG_INFINITY } else { score }
                    })
                    .collect();
                let new_max = scores.iter().copied().fold(max[at], f64::max);
                let factor = (max[at] - new_max).exp();
                let out = &mut out[i * head_dim..(i + 1) * head_dim];
                out.iter_mut().for_each(|o| *o *= factor);
                sum[at] *= factor;
                for (j, score) in visible.zip(scores) {
                    let weight = (score - new_max).exp();
                    sum[at] += weight;
                    out.iter_mut().zip(row(v, j)).for_each(|(o, v)| *o += weight * v);
                }
                max[at] = new_max;
            }
        }
        for i in queries.clone() {
            out[i * head_dim..(i + 1) * head_dim].iter_mut().for_each(|o| *o /= sum[i - start]);
            log_sum_exp.push(max[i - start] + sum[i - start].ln());
        }
    }
    log_sum_exp
}
