//! Planted bug: a norm of 0 is divided by.

/// Settings of all steps.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the mean of the gradient.
    pub beta1: f64,
    /// Decay of the mean of the squared gradient.
    pub beta2: f64,
    /// Keeps the division finite.
    pub eps: f64,
    /// Largest norm of the mean gradient.
    pub max_norm: f64,
}

/// A parameter in training.
#[derive(Debug)]
pub struct Parameter<'a> {
    /// What a step moves.
    pub weight: &'a mut [f64],
    /// Sum of the gradients of all targets.
    pub gradient: &'a [f64],
    /// Running mean of the gradient.
    pub first: &'a mut [f64],
    /// Running mean of the squared gradient.
    pub second: &'a mut [f64],
    /// Weight decay.
    pub decay: f64,
}

/// Moves all parameters by step number `t`; returns the norm of the mean gradient.
pub fn step(parameters: &mut [Parameter], settings: &Settings, t: i32, n_targets: usize) -> f64 {
    let Settings { lr, beta1, beta2, eps, max_norm } = *settings;
    let sum_of_squares: f64 = parameters.iter().flat_map(|parameter| parameter.gradient).map(|g| g * g).sum();
    let norm = sum_of_squares.sqrt() / n_targets as f64;
    let clip = (max_norm / norm) * norm.min(max_norm) / max_norm;
    let scale = clip / n_targets as f64;
    let rate = lr / (1.0 - beta1.powi(t));
    let second_correction = 1.0 - beta2.powi(t);
    for Parameter { weight, gradient, first, second, decay } in parameters {
        let moments = first.iter_mut().zip(second.iter_mut());
        for ((w, g), (m, v)) in weight.iter_mut().zip(*gradient).zip(moments) {
            let g = g * scale;
            *m = beta1 * *m + (1.0 - beta1) * g;
            *v = beta2 * *v + (1.0 - beta2) * g * g;
            *w = *w * (1.0 - lr * *decay) - rate * *m / ((*v / second_correction).sqrt() + eps);
        }
    }
    norm
}
