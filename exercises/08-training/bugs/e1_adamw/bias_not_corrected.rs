//! Planted bug: the moments are used as they are.

/// Settings of the optimizer.
#[derive(Clone, Debug)]
pub struct AdamW {
    /// Learning rate of this step.
    pub lr: f64,
    /// Decay of the mean of the gradient.
    pub beta1: f64,
    /// Decay of the mean of the squared gradient.
    pub beta2: f64,
    /// Keeps the division finite.
    pub eps: f64,
    /// Share of the parameter taken away in a step, times `lr`.
    pub weight_decay: f64,
}

/// What the optimizer remembers between steps.
#[derive(Clone, Debug)]
pub struct Moments {
    /// Running mean of the gradient, `(n_params)`.
    pub m: Vec<f64>,
    /// Running mean of the squared gradient, `(n_params)`.
    pub v: Vec<f64>,
    /// Steps done so far.
    pub step: i32,
}

/// Moves `params` by one step and updates `moments`; all slices `(n_params)`.
pub fn adamw_step(params: &mut [f64], grads: &[f64], moments: &mut Moments, settings: &AdamW) {
    let s = settings;
    moments.step += 1;
    for (i, (p, g)) in params.iter_mut().zip(grads).enumerate() {
        moments.m[i] = s.beta1 * moments.m[i] + (1.0 - s.beta1) * g;
        moments.v[i] = s.beta2 * moments.v[i] + (1.0 - s.beta2) * g * g;
        let m_hat = moments.m[i];
        let v_hat = moments.v[i];
        *p -= s.lr * s.weight_decay * *p + s.lr * m_hat / (v_hat.sqrt() + s.eps);
    }
}
