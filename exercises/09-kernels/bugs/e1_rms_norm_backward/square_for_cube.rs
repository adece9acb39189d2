//! Planted bug: r squared where r cubed belongs.

/// Replaces `dx` by the gradient of `x` and adds the gradient of the weight to `dw`.
pub fn rms_norm_backward(x: &[f64], weight: &[f64], g: &[f64], eps: f64, dx: &mut [f64], dw: &mut [f64]) {
    let d = weight.len();
    for ((x, g), dx) in x.chunks_exact(d).zip(g.chunks_exact(d)).zip(dx.chunks_exact_mut(d)) {
        let mean_square = x.iter().map(|x| x * x).sum::<f64>() / d as f64;
        let r = (mean_square + eps).sqrt().recip();
        let through_r: f64 = (0..d).map(|j| g[j] * weight[j] * x[j]).sum();
        for i in 0..d {
            dx[i] = r * g[i] * weight[i] - r.powi(2) / d as f64 * x[i] * through_r;
            dw[i] += g[i] * x[i] * r;
        }
    }
}
