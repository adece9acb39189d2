//! Autograd against central finite differences.
//!
//! For a scalar function $f$ and each input element $x_i$,
//! $$\frac{\partial f}{\partial x_i} \approx \frac{f(x + h e_i) - f(x - h e_i)}{2h},$$
//! with an error of order $h^2$ from the formula and of order $\epsilon/h$ from rounding (Nocedal and Wright 2006,
//! *Numerical Optimization*, section 8.1). In f64 both are small at $h = 10^{-5}$; in f32 there is no good $h$, so this
//! check insists on f64.

use candle_core::{DType, Result, Tensor, Var, bail};

/// What [`check_gradients`] found, over all elements of all inputs.
#[derive(Debug, Clone, Copy)]
pub struct GradientCheck {
    /// Number of partial derivatives compared.
    pub n_compared: usize,
    /// Largest |autograd − finite difference| / max(1, |autograd|, |finite difference|).
    pub max_error: f64,
}

// ANCHOR: check_gradients
/// Compares autograd's gradient of `f` with finite differences at `inputs` (f64 tensors of any shape).
///
/// `step` is $h$, by which an element is moved both ways.
///
/// # Errors
/// If an input is not f64, if `f` does not return a scalar, or if autograd gives an input no gradient at all: that is
/// how a fused op without a backward shows itself.
pub fn check_gradients(inputs: &[Tensor], step: f64, f: impl Fn(&[Tensor]) -> Result<Tensor>) -> Result<GradientCheck> {
    if let Some(input) = inputs.iter().find(|input| input.dtype() != DType::F64) {
        bail!("finite differences need f64 inputs, not {:?}", input.dtype());
    }
    let vars = inputs.iter().map(Var::from_tensor).collect::<Result<Vec<_>>>()?;
    let tensors: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
    let gradients = f(&tensors)?.backward()?;

    let mut report = GradientCheck { n_compared: 0, max_error: 0.0 };
    for (index, var) in vars.iter().enumerate() {
        let Some(gradient) = gradients.get(var) else {
            bail!("input {index} receives no gradient: an op on its path has no backward");
        };
        let analytic = gradient.flatten_all()?.to_vec1::<f64>()?;
        for (element, &expected) in analytic.iter().enumerate() {
            let at = |delta: f64| f(&nudged(inputs, index, element, delta)?)?.to_scalar::<f64>();
            let numeric = (at(step)? - at(-step)?) / (2.0 * step);
            let error = (expected - numeric).abs() / expected.abs().max(numeric.abs()).max(1.0);
            report.n_compared += 1;
            // `f64::max` would hide a NaN.
            report.max_error = if error > report.max_error || error.is_nan() { error } else { report.max_error };
        }
    }
    Ok(report)
}

/// The inputs with `delta` added to one element of one of them.
fn nudged(inputs: &[Tensor], index: usize, element: usize, delta: f64) -> Result<Vec<Tensor>> {
    let mut inputs = inputs.to_vec();
    let mut values = inputs[index].flatten_all()?.to_vec1::<f64>()?;
    values[element] += delta;
    inputs[index] = Tensor::from_vec(values, inputs[index].shape(), inputs[index].device())?;
    Ok(inputs)
}
// ANCHOR_END: check_gradients

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn input() -> Tensor {
        Tensor::new(&[[0.3, -1.2, 2.0], [0.7, 0.1, -0.4]], &Device::Cpu).unwrap()
    }

    #[test]
    fn agrees_on_a_smooth_function() {
        let check = check_gradients(&[input()], 1e-5, |x| x[0].sqr()?.exp()?.sum_all()).unwrap();
        assert_eq!(check.n_compared, 6);
        assert!(check.max_error < 1e-8, "{check:?}");
    }

    #[test]
    fn sees_a_wrong_gradient() {
        // Detaching one factor of x·x halves the gradient and leaves the value as it was.
        let check = check_gradients(&[input()], 1e-5, |x| x[0].mul(&x[0].detach())?.sum_all()).unwrap();
        assert!(check.max_error > 0.1, "{check:?}");
    }

    #[test]
    fn names_the_input_without_gradient() {
        let error = check_gradients(&[input()], 1e-5, |x| x[0].detach().sum_all()).unwrap_err().to_string();
        assert!(error.contains("input 0 receives no gradient"), "{error}");
    }
}
